#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "core/base/function.hpp"
#include "core/base/reactor.hpp"

namespace moonwire::transport {

class WebSocketHandler;

using Headers = std::vector<std::pair<std::string, std::string>>;

/// One HTTP/1.1 request, body complete. Plain data: may be moved to another thread.
struct HttpRequest {
    std::string method;  // as sent: "GET"
    std::string target;  // as sent: "/socket.io/?EIO=4&transport=polling"
    Headers headers;     // names as sent, in order
    std::string body;
    std::string remote_address;  // "127.0.0.1", "::1"; "unix:" over a Unix-domain socket
    std::uint16_t remote_port = 0;
    bool secure = false;
    std::string client_certificate;  // its subject ("CN=alice,O=Example"), once verified
    bool upgrade = false;            // a well-formed WebSocket upgrade (RFC 6455 section 4.2.1)

    std::string_view path() const;   // target before '?'
    std::string_view query() const;  // target after '?', undecoded
    /// The first header of that name, without regard to case; empty when there is none.
    std::string_view header(std::string_view name) const;
    /// The decoded query parameter of that name; empty when there is none.
    std::string query_value(std::string_view name) const;
    /// All query parameters, decoded (application/x-www-form-urlencoded), in order.
    Headers query_values() const;
};

struct HttpResponse {
    unsigned status = 200;
    Headers headers;  // content-length, connection and date are the transport's
    std::string body;
    bool close = false;  // ends the connection after this response
};

/// One request awaiting its response. Lives on one reactor; every call is made there.
///
/// Exactly one of `respond`, `accept_websocket` and `drop` answers it; later calls do nothing.
/// An exchange whose last reference goes unanswered answers 500.
class HttpExchange {
public:
    virtual ~HttpExchange() = default;
    virtual Reactor& reactor() = 0;
    virtual const HttpRequest& request() const = 0;
    virtual void respond(HttpResponse response) = 0;
    /// Completes the WebSocket handshake with these extra response headers; the handler's
    /// on_open follows once it is done, or on_close when it fails.
    virtual void accept_websocket(std::shared_ptr<WebSocketHandler> handler, Headers headers) = 0;
    /// Closes the connection without an answer.
    virtual void drop() = 0;
    /// Called at most once if the peer goes away before the answer. The handler must not hold the
    /// exchange: clear it or capture weakly.
    virtual void on_abort(Task task) = 0;
    /// True until it is answered or its peer has gone.
    virtual bool pending() const = 0;
};

/// What the layer above gives the listener. Called on the connection's reactor; must outlive it.
class HttpHandler {
public:
    virtual ~HttpHandler() = default;
    /// The reactor that must serve this request; the connection moves there first. Any thread.
    virtual Reactor& reactor_for(const HttpRequest& request, Reactor& current) = 0;
    virtual void on_request(std::shared_ptr<HttpExchange> exchange) = 0;
};

}  // namespace moonwire::transport
