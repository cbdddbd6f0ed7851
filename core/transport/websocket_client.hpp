#pragma once

#include <cstddef>
#include <memory>
#include <string>
#include <string_view>

#include "core/base/http_url.hpp"
#include "core/transport/asio_reactor.hpp"
#include "core/transport/http.hpp"

namespace moonwire::transport {

struct WebSocketRequest {
    HttpUrl url;          // http or https: wss is WebSocket over the latter
    Headers headers;      // beyond those of the handshake
    bool verify = true;   // over TLS: the certificate, by the system's authorities, and its name
    std::string ca_file;  // PEM: authorities to trust beside the system's; empty: none
    std::size_t max_message_bytes = 64u << 20;
};

/// Why a client's connection ended.
struct ClientEnd {
    std::string reason;   // in words for a person
    unsigned status = 0;  // of an HTTP answer that refused it; 0: there was none
    std::string body;     // that answer's
};

/// What the layer above gives to a client's WebSocket, and shares with it until on_end. Called on
/// its reactor, never from within a call into the WebSocket.
class WebSocketClientHandler {
public:
    virtual ~WebSocketClientHandler() = default;
    virtual void on_open() = 0;
    /// The payload is only valid during the call.
    virtual void on_message(std::string_view payload, bool binary) = 0;
    virtual void on_pong() = 0;
    /// All that was sent has been given to the system.
    virtual void on_drained() = 0;
    /// Once, last; also when it never opened.
    virtual void on_end(ClientEnd end) = 0;
};

/// The client's end of a WebSocket connection, plain or TLS: what the command line's client and
/// the tests of other servers need, not tuned for thousands. Lives on one reactor; every call is
/// made there.
class WebSocketClient {
public:
    virtual ~WebSocketClient() = default;
    /// Queued without a limit: who sends much looks at buffered_bytes.
    virtual void send(std::string payload, bool binary) = 0;
    virtual std::size_t buffered_bytes() const = 0;
    /// Asks, behind what was sent before, for a sign of life (RFC 6455 section 5.5.2): on_pong.
    virtual void ping() = 0;
    /// Sends what is queued, then a closing handshake; on_end follows, at the latest after some
    /// seconds. While it still connects it ends at once.
    virtual void close() = 0;
};

/// Begins to connect; `on_open` or `on_end` follows, and how long that may take is the caller's
/// affair. The reactor outlives the connection.
std::shared_ptr<WebSocketClient> connect_websocket(
    AsioReactor& reactor, WebSocketRequest request,
    std::shared_ptr<WebSocketClientHandler> handler);

}  // namespace moonwire::transport
