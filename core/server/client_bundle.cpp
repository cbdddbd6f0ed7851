#include "core/server/client_bundle.hpp"

#include <cstdint>
#include <cstdio>
#include <fstream>
#include <system_error>
#include <vector>

#include "core/base/log.hpp"
#include "core/transport/content_coding.hpp"

namespace moonwire::server {
namespace fs = std::filesystem;
namespace {

using transport::ContentCoding;

/// The largest is about 300 KB.
constexpr std::uintmax_t kMaxFileBytes = 16 << 20;
constexpr std::string_view kMap = ".map";

bool take_suffix(std::string_view& text, std::string_view suffix) {
    if (!text.ends_with(suffix)) return false;
    text.remove_suffix(suffix.size());
    return true;
}

std::optional<std::string> read(const fs::path& path) {
    std::error_code error;
    const std::uintmax_t size = fs::file_size(path, error);
    if (error || size > kMaxFileBytes) return std::nullopt;
    std::ifstream file(path, std::ios::binary);
    std::string text(static_cast<std::size_t>(size), '\0');
    if (!file.read(text.data(), static_cast<std::streamsize>(size))) return std::nullopt;
    return text;
}

/// What somebody compressed beforehand, unless the file has changed since.
std::optional<std::string> read_compressed(fs::path path, const char* extension,
                                           fs::file_time_type changed) {
    path += extension;
    std::error_code error;
    const auto made = fs::last_write_time(path, error);
    if (error || made < changed) return std::nullopt;
    return read(path);
}

/// The same on every node and after every start (FNV-1a).
std::string tag_of(std::string_view text) {
    std::uint64_t hash = 0xcbf29ce484222325;
    for (const char c : text) hash = (hash ^ static_cast<unsigned char>(c)) * 0x100000001b3;
    char tag[24];
    std::snprintf(tag, sizeof tag, "W/\"%016llx\"", static_cast<unsigned long long>(hash));
    return tag;
}

/// If-None-Match's weak comparison (RFC 9110 section 13.1.2).
bool matches(std::string_view if_none_match, std::string_view tag) {
    return if_none_match == "*" || if_none_match.find(tag.substr(2)) != std::string_view::npos;
}

transport::HttpResponse not_found() {
    transport::HttpResponse response;
    response.status = 404;
    response.headers = {{"content-type", "text/plain; charset=UTF-8"}};
    response.body = "Not Found\n";
    return response;
}

}  // namespace

bool ClientBundle::is_file(std::string_view name) {
    take_suffix(name, kMap);
    if (!take_suffix(name, ".js")) return false;
    take_suffix(name, ".min");
    if (!take_suffix(name, ".esm")) take_suffix(name, ".msgpack");
    return name == "socket.io";
}

std::shared_ptr<const ClientBundle::File> ClientBundle::find(std::string_view name) {
    if (folder_.empty()) return nullptr;
    const fs::path path = folder_ / name;
    std::error_code error;
    const auto changed = fs::last_write_time(path, error);
    if (error) return nullptr;
    std::lock_guard lock(mutex_);
    auto& known = files_[std::string(name)];
    if (known && known->changed == changed) return known;
    auto plain = read(path);
    if (!plain) {
        log::warn("a file of the client bundle can't be read", {{"file", path.string()}});
        return known = nullptr;
    }
    auto file = std::make_shared<File>();
    file->changed = changed;
    file->tag = tag_of(*plain);
    auto gzip = read_compressed(path, ".gz", changed);
    file->gzip = gzip ? *std::move(gzip) : transport::compress(*plain, ContentCoding::gzip);
    file->brotli = read_compressed(path, ".br", changed).value_or("");
    file->plain = *std::move(plain);
    return known = std::move(file);
}

transport::HttpResponse ClientBundle::answer(std::string_view name,
                                             const transport::HttpRequest& request) {
    const auto file = find(name);
    if (!file) return not_found();
    transport::HttpResponse response;
    response.headers = {
        {"cache-control", "public, max-age=0"}, {"etag", file->tag}, {"vary", "Accept-Encoding"}};
    if (matches(request.header("if-none-match"), file->tag)) {
        response.status = 304;
        return response;
    }
    response.headers.emplace_back("content-type", name.ends_with(kMap)
                                                      ? "application/json; charset=utf-8"
                                                      : "application/javascript; charset=utf-8");
    std::vector<ContentCoding> offered{ContentCoding::gzip};
    if (!file->brotli.empty()) offered.insert(offered.begin(), ContentCoding::brotli);
    const auto coding = transport::choose_coding(request.header("accept-encoding"), offered);
    if (coding != ContentCoding::identity)
        response.headers.emplace_back("content-encoding", transport::to_string(coding));
    response.body = coding == ContentCoding::brotli ? file->brotli
                    : coding == ContentCoding::gzip ? file->gzip
                                                    : file->plain;
    return response;
}

}  // namespace moonwire::server
