#include "core/server/file_answers.hpp"

#include <chrono>
#include <cstdio>
#include <ctime>
#include <fstream>
#include <system_error>
#include <utility>
#include <vector>

#include "core/base/log.hpp"
#include "core/transport/content_coding.hpp"

namespace moonwire::server {
namespace fs = std::filesystem;
namespace {

using transport::ContentCoding;

/// What compresses a file is a reactor, whose clients wait.
constexpr std::uintmax_t kMaxCompressedBytes = 1 << 20;

constexpr std::pair<std::string_view, FileType> kTypes[] = {
    {".html", {"text/html; charset=utf-8", true}},
    {".js", {"application/javascript; charset=utf-8", true}},
    {".mjs", {"application/javascript; charset=utf-8", true}},
    {".css", {"text/css; charset=utf-8", true}},
    {".json", {"application/json; charset=utf-8", true}},
    {".map", {"application/json; charset=utf-8", true}},
    {".svg", {"image/svg+xml", true}},
    {".txt", {"text/plain; charset=utf-8", true}},
    {".webmanifest", {"application/manifest+json", true}},
    {".png", {"image/png"}},
    {".jpg", {"image/jpeg"}},
    {".jpeg", {"image/jpeg"}},
    {".gif", {"image/gif"}},
    {".webp", {"image/webp"}},
    {".ico", {"image/x-icon"}},
    {".woff2", {"font/woff2"}},
    {".mp3", {"audio/mpeg"}},
    {".wasm", {"application/wasm"}},
};

std::optional<std::string> read_file(const fs::path& path) {
    std::error_code error;
    // Reading a pipe would wait for whoever writes it.
    if (!fs::is_regular_file(path, error)) return std::nullopt;
    const std::uintmax_t size = fs::file_size(path, error);
    if (error || size > FileAnswers::kMaxFileBytes) return std::nullopt;
    std::ifstream file(path, std::ios::binary);
    std::string text(static_cast<std::size_t>(size), '\0');
    if (!file.read(text.data(), static_cast<std::streamsize>(size))) return std::nullopt;
    return text;
}

/// What somebody compressed beforehand, unless the file has changed since.
std::string read_compressed(fs::path path, const char* extension, fs::file_time_type changed) {
    path += extension;
    std::error_code error;
    const auto made = fs::last_write_time(path, error);
    if (error || made < changed) return {};
    return read_file(path).value_or("");
}

/// The same on every node and after every start (FNV-1a).
std::string tag_of(std::string_view text) {
    std::uint64_t hash = 0xcbf29ce484222325;
    for (const char c : text) hash = (hash ^ static_cast<unsigned char>(c)) * 0x100000001b3;
    char tag[24];
    std::snprintf(tag, sizeof tag, "W/\"%016llx\"", static_cast<unsigned long long>(hash));
    return tag;
}

std::string http_date(fs::file_time_type time) {
    const auto system = std::chrono::file_clock::to_sys(time);
    const std::time_t seconds =
        std::chrono::duration_cast<std::chrono::seconds>(system.time_since_epoch()).count();
    std::tm utc{};
    gmtime_r(&seconds, &utc);
    char text[40];
    std::strftime(text, sizeof text, "%a, %d %b %Y %H:%M:%S GMT", &utc);
    return text;
}

/// If-None-Match's weak comparison (RFC 9110 section 13.1.2).
bool matches(std::string_view if_none_match, std::string_view tag) {
    return if_none_match == "*" || if_none_match.find(tag.substr(2)) != std::string_view::npos;
}

transport::HttpResponse too_large() {
    transport::HttpResponse response;
    response.status = 403;
    response.headers = {{"content-type", "text/plain; charset=UTF-8"}};
    response.body = "Forbidden: files of more than " +
                    std::to_string(FileAnswers::kMaxFileBytes >> 20) + " MB are not served\n";
    return response;
}

}  // namespace

FileType file_type(std::string_view file_name) {
    for (const auto& [end, type] : kTypes)
        if (file_name.ends_with(end)) return type;
    return {"application/octet-stream"};
}

FileAnswers::File FileAnswers::read(const fs::path& path, FileType type) const {
    File file;
    auto plain = read_file(path);
    if (!plain) return file;
    file.readable = true;
    std::error_code error;
    file.changed = fs::last_write_time(path, error);
    file.tag = tag_of(*plain);
    file.last_modified = http_date(file.changed);
    if (compressed_beside_) {
        file.gzip = read_compressed(path, ".gz", file.changed);
        file.brotli = read_compressed(path, ".br", file.changed);
    }
    if (file.gzip.empty() && type.is_text && plain->size() <= kMaxCompressedBytes)
        file.gzip = transport::compress(*plain, ContentCoding::gzip);
    file.plain = *std::move(plain);
    return file;
}

std::shared_ptr<const FileAnswers::File> FileAnswers::find(const fs::path& path, FileType type) {
    std::error_code error;
    const auto changed = fs::last_write_time(path, error);
    if (error) return nullptr;
    const std::uintmax_t size = fs::file_size(path, error);
    if (error) return nullptr;
    std::lock_guard lock(mutex_);
    auto& known = files_[path];
    if (known && known->changed == changed && known->size == size) return known;
    auto file = std::make_shared<File>(read(path, type));
    file->changed = changed;
    file->size = size;
    if (!file->readable && size <= kMaxFileBytes)
        log::warn("a file can't be served: it can't be read", {{"file", path.string()}});
    kept_bytes_ += file->plain.size() + file->gzip.size() + file->brotli.size();
    known = file;
    if (kept_bytes_ > kMaxKeptBytes) {
        files_.clear();
        kept_bytes_ = 0;
    }
    return file;
}

std::uintmax_t FileAnswers::kept_bytes() const {
    std::lock_guard lock(mutex_);
    return kept_bytes_;
}

std::optional<transport::HttpResponse> FileAnswers::answer(const fs::path& path, FileType type,
                                                           const transport::HttpRequest& request) {
    const auto file = find(path, type);
    if (!file) return std::nullopt;
    if (file->size > kMaxFileBytes) return too_large();
    if (!file->readable) return std::nullopt;
    transport::HttpResponse response;
    response.headers = {{"cache-control", "public, max-age=0"},
                        {"etag", file->tag},
                        {"last-modified", file->last_modified},
                        {"vary", "Accept-Encoding"},
                        {"x-content-type-options", "nosniff"}};
    const std::string_view if_none_match = request.header("if-none-match");
    const std::string_view since = request.header("if-modified-since");
    // Who asks both ways means the tag; a date is only ever one that was given out.
    if (if_none_match.empty() ? since == file->last_modified : matches(if_none_match, file->tag)) {
        response.status = 304;
        return response;
    }
    response.headers.emplace_back("content-type", type.name);
    std::vector<ContentCoding> offered;
    if (!file->brotli.empty()) offered.push_back(ContentCoding::brotli);
    if (!file->gzip.empty()) offered.push_back(ContentCoding::gzip);
    const auto coding = transport::choose_coding(request.header("accept-encoding"), offered);
    if (coding != ContentCoding::identity)
        response.headers.emplace_back("content-encoding", transport::to_string(coding));
    response.body = coding == ContentCoding::brotli ? file->brotli
                    : coding == ContentCoding::gzip ? file->gzip
                                                    : file->plain;
    return response;
}

}  // namespace moonwire::server
