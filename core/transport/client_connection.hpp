#pragma once

#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/ssl/context.hpp>
#include <boost/asio/ssl/stream.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/http/message.hpp>
#include <boost/beast/http/parser.hpp>
#include <boost/beast/http/string_body.hpp>
#include <boost/system/error_code.hpp>
#include <cstddef>
#include <memory>
#include <optional>
#include <string>
#include <variant>

#include "core/base/function.hpp"
#include "core/base/result.hpp"
#include "core/transport/http_client.hpp"

namespace moonwire::transport {

/// One outgoing connection of HTTP/1.1, plain or TLS: a request and its response at a time.
///
/// Has no timeouts: its owner closes it. One reactor; callbacks come from the loop, at most once
/// each, and may come after `close` (with an error).
class ClientConnection : public std::enable_shared_from_this<ClientConnection> {
public:
    using Socket = boost::asio::ip::tcp::socket;

    /// Over TLS when there is a context.
    ClientConnection(Socket socket, const std::shared_ptr<boost::asio::ssl::context>& tls);

    /// The TLS handshake with `host`, if there is any to do; then `done`.
    void open(const std::string& host, Function<void(Result<void>)> done);

    struct Answer {
        Result<OutgoingResponse> response;
        bool begun = false;  // a failure came after a byte of the response
    };
    /// Sends the request and reads while sending, for a server may answer before it has heard all.
    void exchange(const OutgoingRequest& request, const HttpClientOptions& limits,
                  Function<void(Answer)> done);

    /// Whether the connection may carry another request after what it has carried.
    bool reusable() const noexcept { return reusable_; }
    /// Whether the peer has closed it, or spoken out of turn, since.
    bool is_stale();
    void close();

private:
    using TlsStream = boost::asio::ssl::stream<Socket>;
    using Parser = boost::beast::http::response_parser<boost::beast::http::string_body>;

    Socket& socket();
    void read();
    void on_read(boost::system::error_code error);
    void finish(Answer answer);
    std::string problem(boost::system::error_code error) const;

    std::variant<Socket, TlsStream> stream_;
    boost::beast::flat_buffer buffer_;
    boost::beast::http::request<boost::beast::http::string_body> request_;
    std::optional<Parser> parser_;
    std::size_t max_header_bytes_ = 0, max_body_bytes_ = 0;
    int interim_ = 0;  // responses (1xx) before the response
    bool sent_ = false, reusable_ = false;
    Function<void(Answer)> done_;
};

}  // namespace moonwire::transport
