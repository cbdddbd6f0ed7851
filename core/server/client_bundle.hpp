#pragma once

#include <filesystem>
#include <string_view>

#include "core/server/file_answers.hpp"
#include "core/transport/http.hpp"

namespace moonwire::server {

/// Serves the JavaScript client's files from the folder that its npm package has them in, as
/// `<script src="/socket.io/socket.io.js">` expects. Any reactor.
class ClientBundle {
public:
    /// An empty folder: every file is 404.
    explicit ClientBundle(std::filesystem::path folder) : folder_(std::move(folder)) {}

    /// Where `./bootstrap run` has put it beside this binary; empty if it has not.
    static std::filesystem::path beside_binary();
    /// Whether the client has a file of that name: "socket.io.js", "socket.io.esm.min.js.map".
    static bool is_file(std::string_view name);
    /// The answer to a GET or HEAD for one of those.
    transport::HttpResponse answer(std::string_view name, const transport::HttpRequest& request);

private:
    const std::filesystem::path folder_;
    FileAnswers files_{true};
};

}  // namespace moonwire::server
