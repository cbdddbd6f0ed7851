#pragma once

#include <filesystem>
#include <map>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/script/host.hpp"
#include "core/server/file_answers.hpp"
#include "core/transport/http.hpp"

namespace moonwire::server {

/// Serves the apps' `public` folders at /demo/APP/, and at /demo/ a list of the apps that have one.
///
/// A path leads to a file of that folder or to nothing: names that begin with a dot, `..`, encoded
/// slashes and symbolic links out of the folder are 404. Any thread.
class AppPages {
public:
    /// Off: there are no pages at all.
    explicit AppPages(bool enabled) : enabled_(enabled) {}

    void set_apps(const std::vector<script::App>& apps);
    /// The answer to a GET or HEAD; nothing if the path is no page's.
    std::optional<transport::HttpResponse> answer(const transport::HttpRequest& request);

private:
    /// The app's `public` folder; empty without one.
    std::filesystem::path folder_of(const std::string& app) const;
    std::optional<transport::HttpResponse> list() const;

    const bool enabled_;
    FileAnswers files_{false};
    mutable std::mutex mutex_;
    std::map<std::string, std::filesystem::path> folders_;  // under it: app -> its folder
};

}  // namespace moonwire::server
