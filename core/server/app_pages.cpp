#include "core/server/app_pages.hpp"

#include <algorithm>
#include <system_error>
#include <utility>

#include "core/base/url.hpp"

namespace moonwire::server {
namespace fs = std::filesystem;
namespace {

constexpr std::string_view kRoot = "/demo";

/// A path's part as a name in a folder; nothing if it is none that is served.
std::optional<std::string> file_name(std::string_view part) {
    std::string encoded;  // '+' stands for itself in a path
    for (const char c : part) c == '+' ? encoded += "%2B" : encoded += c;
    std::string name = url_decode(encoded);
    const auto is_bad = [](char c) {
        return c == '/' || c == '\\' || static_cast<unsigned char>(c) < 0x20;
    };
    if (name.empty() || name.starts_with('.') || std::any_of(name.begin(), name.end(), is_bad))
        return std::nullopt;
    return name;
}

/// The real path if it is inside the folder, which is a real one; else empty.
fs::path resolve(const fs::path& folder, const fs::path& path) {
    std::error_code error;
    fs::path real = fs::canonical(path, error);
    if (error) return {};
    const auto parted = std::mismatch(folder.begin(), folder.end(), real.begin(), real.end());
    return parted.first == folder.end() ? real : fs::path();
}

/// To the same path as a folder's; relative links on its page need the slash.
transport::HttpResponse with_slash(const transport::HttpRequest& request) {
    transport::HttpResponse response;
    response.status = 301;
    std::string location(request.path());
    location += '/';
    if (!request.query().empty()) (location += '?') += request.query();
    response.headers = {{"location", std::move(location)}};
    return response;
}

std::string html(std::string_view text) {
    std::string out;
    for (const char c : text) {
        if (c == '<') out += "&lt;";
        else if (c == '&') out += "&amp;";
        else out += c;
    }
    return out;
}

constexpr std::string_view kListHead = R"(<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<title>Moonwire: apps</title>
<style>
  :root { color-scheme: light dark; font: 16px/1.5 system-ui, sans-serif; }
  body { max-width: 40rem; margin: 4rem auto; padding: 0 1rem; }
  a { display: block; margin: .5rem 0; padding: .75rem 1rem; border: 1px solid #8886; border-radius: .5rem;
      color: inherit; text-decoration: none; }
  a:hover { border-color: currentColor; }
</style>
<h1>Apps</h1>
)";

}  // namespace

void AppPages::set_apps(const std::vector<script::App>& apps) {
    std::map<std::string, fs::path> folders;
    for (const script::App& app : apps) folders.emplace(app.name, app.folder);
    std::lock_guard lock(mutex_);
    folders_ = std::move(folders);
}

fs::path AppPages::folder_of(const std::string& app) const {
    fs::path folder;
    {
        std::lock_guard lock(mutex_);
        const auto found = folders_.find(app);
        if (found == folders_.end()) return {};
        folder = found->second;
    }
    std::error_code error;
    const fs::path real = fs::canonical(folder, error);
    if (error) return {};
    fs::path pages = resolve(real, real / "public");
    return fs::is_directory(pages, error) ? pages : fs::path();
}

std::optional<transport::HttpResponse> AppPages::list() const {
    std::vector<std::string> apps;
    {
        std::lock_guard lock(mutex_);
        for (const auto& [name, folder] : folders_) apps.push_back(name);
    }
    std::string links;
    for (const std::string& app : apps)
        if (!folder_of(app).empty())
            links += "<a href=\"" + url_encode(app) + "/\">" + html(app) + "</a>\n";
    if (links.empty()) return std::nullopt;
    transport::HttpResponse response;
    response.headers = {{"content-type", "text/html; charset=utf-8"},
                        {"cache-control", "no-store"}};
    response.body = std::string(kListHead) + links;
    return response;
}

std::optional<transport::HttpResponse> AppPages::answer(const transport::HttpRequest& request) {
    std::string_view path = request.path();
    if (!enabled_ || !path.starts_with(kRoot)) return std::nullopt;
    path.remove_prefix(kRoot.size());
    if (path.empty()) return list() ? std::optional(with_slash(request)) : std::nullopt;
    if (path == "/") return list();
    if (path.front() != '/') return std::nullopt;

    fs::path folder, file;
    bool is_folder = false;  // by the slash at its end
    for (std::string_view rest = path; !rest.empty();) {
        rest.remove_prefix(1);
        const std::string_view part = rest.substr(0, rest.find('/'));
        rest.remove_prefix(part.size());
        is_folder = part.empty() && rest.empty();
        if (is_folder) break;
        const auto name = file_name(part);
        if (!name) return std::nullopt;
        if (folder.empty()) {
            file = folder = folder_of(*name);
            if (folder.empty()) return std::nullopt;
        } else {
            file /= *name;
        }
    }
    if (is_folder) file /= "index.html";
    const fs::path real = resolve(folder, file);
    std::error_code error;
    if (fs::is_directory(real, error))
        return fs::exists(real / "index.html", error) ? std::optional(with_slash(request))
                                                      : std::nullopt;
    if (!fs::is_regular_file(real, error)) return std::nullopt;
    return files_.answer(real, file_type(file.filename().string()), request);
}

}  // namespace moonwire::server
