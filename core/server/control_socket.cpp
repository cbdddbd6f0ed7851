#include "core/server/control_socket.hpp"

#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>

namespace moonwire::server {
namespace {

namespace fs = std::filesystem;

constexpr std::string_view kSuffix = ".sock";

/// What all their paths begin with.
fs::path prefix() {
    if (const char* runtime = std::getenv("XDG_RUNTIME_DIR"); runtime && *runtime == '/')
        return fs::path(runtime) / "moonwire-";
    std::error_code error;
    const fs::path temporary = fs::temp_directory_path(error);
    return (error ? fs::path("/tmp") : temporary) /
           ("moonwire-" + std::to_string(geteuid()) + "-");
}

bool is_number(std::string_view text) {
    return !text.empty() &&
           std::all_of(text.begin(), text.end(), [](char c) { return c >= '0' && c <= '9'; });
}

}  // namespace

std::string default_control_socket(std::string_view number) {
    return prefix().string() + std::string(number) + std::string(kSuffix);
}

std::vector<std::string> find_control_sockets() {
    const fs::path start = prefix();
    const std::string first = start.filename();
    std::vector<std::string> found;
    std::error_code error;
    for (fs::directory_iterator file(start.parent_path(), error), end; !error && file != end;
         file.increment(error)) {
        const std::string name = file->path().filename();
        if (name.size() <= first.size() + kSuffix.size() || !name.starts_with(first) ||
            !name.ends_with(kSuffix) ||
            !is_number(std::string_view(name).substr(
                first.size(), name.size() - first.size() - kSuffix.size())))
            continue;
        // In a folder that all may write to, a name proves nothing.
        struct stat status {};
        if (::lstat(file->path().c_str(), &status) == 0 && S_ISSOCK(status.st_mode) &&
            status.st_uid == geteuid())
            found.push_back(file->path());
    }
    std::sort(found.begin(), found.end());
    return found;
}

}  // namespace moonwire::server
