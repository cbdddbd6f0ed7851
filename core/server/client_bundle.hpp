#pragma once

#include <filesystem>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>

#include "core/transport/http.hpp"

namespace moonwire::server {

/// Serves the JavaScript client's files from the folder that its npm package has them in, as
/// `<script src="/socket.io/socket.io.js">` expects.
///
/// Any reactor. A file is read when it is first asked for and when it has changed on disk since;
/// what can't be read is 404.
class ClientBundle {
public:
    /// An empty folder: every file is 404.
    explicit ClientBundle(std::filesystem::path folder) : folder_(std::move(folder)) {}

    /// Whether the client has a file of that name: "socket.io.js", "socket.io.esm.min.js.map".
    static bool is_file(std::string_view name);
    /// The answer to a GET or HEAD for one of those.
    transport::HttpResponse answer(std::string_view name, const transport::HttpRequest& request);

private:
    /// One file in all its codings. Immutable.
    struct File {
        std::filesystem::file_time_type changed;
        std::string tag;  // a weak ETag, as the codings share it
        std::string plain;
        std::string gzip;
        std::string brotli;  // only if the folder has it
    };
    std::shared_ptr<const File> find(std::string_view name);

    const std::filesystem::path folder_;
    std::mutex mutex_;
    std::map<std::string, std::shared_ptr<const File>, std::less<>> files_;
};

}  // namespace moonwire::server
