#include "core/server/client_bundle.hpp"

#include <system_error>
#include <utility>

namespace moonwire::server {
namespace fs = std::filesystem;
namespace {

bool take_suffix(std::string_view& text, std::string_view suffix) {
    if (!text.ends_with(suffix)) return false;
    text.remove_suffix(suffix.size());
    return true;
}

}  // namespace

fs::path ClientBundle::beside_binary() {
    std::error_code error;
    const fs::path binary = fs::read_symlink("/proc/self/exe", error);
    fs::path folder = binary.parent_path() / "client/node_modules/socket.io-client/dist";
    return !error && fs::exists(folder / "socket.io.js", error) ? folder : fs::path();
}

bool ClientBundle::is_file(std::string_view name) {
    take_suffix(name, ".map");
    if (!take_suffix(name, ".js")) return false;
    take_suffix(name, ".min");
    if (!take_suffix(name, ".esm")) take_suffix(name, ".msgpack");
    return name == "socket.io";
}

transport::HttpResponse ClientBundle::answer(std::string_view name,
                                             const transport::HttpRequest& request) {
    if (!folder_.empty())
        if (auto response = files_.answer(folder_ / name, file_type(name), request))
            return *std::move(response);
    transport::HttpResponse response;
    response.status = 404;
    response.headers = {{"content-type", "text/plain; charset=UTF-8"}};
    response.body =
        folder_.empty() ? "Not Found: server.client_bundle is not set\n" : "Not Found\n";
    return response;
}

}  // namespace moonwire::server
