#include "core/transport/local_request.hpp"

#include <sys/un.h>

#include <boost/asio/io_context.hpp>
#include <boost/asio/local/stream_protocol.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/http.hpp>
#include <cstdio>
#include <optional>

namespace moonwire::transport {
namespace {

namespace asio = boost::asio;
namespace http = boost::beast::http;
using Local = asio::local::stream_protocol;
using boost::system::error_code;

constexpr std::uint64_t kMaxAnswerBytes = 256u << 20;

std::string explain(const error_code& error) {
    if (error == boost::system::errc::no_such_file_or_directory) return "there is no such socket";
    if (error == asio::error::connection_refused) return "nobody listens there any more";
    if (error == asio::error::access_denied) return "permission denied";
    if (error == http::error::end_of_stream) return "closed without an answer";
    return error.message();
}

}  // namespace

Result<LocalResponse> request_locally(const std::string& path, const std::string& method,
                                      const std::string& target, const std::string& accept,
                                      std::chrono::milliseconds timeout) {
    if (path.empty() || path.size() >= sizeof(sockaddr_un::sun_path))
        return Error{path + ": not the path of a socket"};
    asio::io_context context{1};
    Local::socket socket(context);
    error_code error;
    socket.connect(Local::endpoint(path), error);
    if (error) return Error{path + ": " + explain(error)};

    http::request<http::empty_body> request;
    request.method_string(method);
    request.target(target);
    request.version(11);
    request.set(http::field::host, "localhost");
    request.set(http::field::accept, accept);
    request.keep_alive(false);
    boost::beast::flat_buffer buffer;
    http::response_parser<http::string_body> parser;
    parser.body_limit(kMaxAnswerBytes);
    std::optional<error_code> done;
    http::async_write(socket, request, [&](error_code failed, std::size_t) {
        if (failed) done = failed;
        else
            http::async_read(socket, buffer, parser,
                             [&](error_code read, std::size_t) { done = read; });
    });
    context.run_for(timeout);
    if (!done) {
        // The operations refer to what is here: let them end.
        socket.close(error);
        context.run();
        char seconds[32];
        std::snprintf(seconds, sizeof seconds, "%g s", double(timeout.count()) / 1000);
        return Error{path + ": no answer within " + seconds};
    }
    if (*done) return Error{path + ": " + explain(*done)};
    return LocalResponse{parser.get().result_int(), std::move(parser.get().body())};
}

}  // namespace moonwire::transport
