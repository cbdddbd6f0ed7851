#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "core/base/clock.hpp"
#include "core/base/reactor.hpp"
#include "core/transport/frame.hpp"
#include "core/transport/http.hpp"

namespace moonwire::engineio {

using transport::Frame;

enum class TransportKind : std::uint8_t { polling, websocket };
std::string_view to_string(TransportKind kind);

/// Why a session ended. The texts are the reference's (protocol-notes section 1).
enum class CloseReason : std::uint8_t {
    transport_error,
    transport_close,
    forced_close,
    ping_timeout,
    parse_error,
};
std::string_view to_string(CloseReason reason);

/// What the handshake request said; fixed for the session's life. Read from any thread.
struct Handshake {
    transport::Headers headers;  // names in lower case
    transport::Headers query;    // decoded
    std::string address;
    std::string url;
    bool secure = false;
    std::string client_certificate;  // the subject of a verified one; else empty
    bool cross_origin = false;  // an Origin header was present (`xdomain`)
    double issued = 0;          // wall-clock seconds
    unsigned protocol = 4;      // Engine.IO's version: what the client gave as EIO

    /// Socket.IO 2's clients, who know neither auth nor recovery.
    bool is_legacy() const noexcept { return protocol == 3; }
};

/// How a message goes out.
struct SendOptions {
    bool is_volatile = false;  // dropped when the transport isn't writable
    bool coalesce = false;     // a broadcast: may wait for the coalescing window
    bool immediate = false;    // in a write of its own, for clients that read one message at a time
    bool compress = true;      // false: as it is, even where compression was negotiated
};

/// The frame of an Engine.IO text message: type '4', then the parts.
Frame text_message(std::string_view part, std::string_view second = {}, std::string_view third = {});
/// The frame of an Engine.IO binary message.
Frame binary_message(std::string_view part, std::string_view second = {});
/// What follows the '4' of a text message's frame.
inline std::string_view message_text(const Frame& frame) { return frame.payload().substr(1); }

/// What the layer above gives to a session. Called on the session's reactor, never from within a
/// call the layer itself made into the session.
class SessionHandler {
public:
    virtual ~SessionHandler() = default;
    /// The payload is only valid during the call.
    virtual void on_message(std::string_view payload, bool binary) = 0;
    /// WebSocket carries the session from now on, as `transport()` says.
    virtual void on_upgrade() {}
    /// Once, last.
    virtual void on_close(CloseReason reason) = 0;
};

/// One Engine.IO connection, whichever transport carries it. Lives on one reactor; `send` and `close`
/// are called there, the rest may be read from any thread.
class Session {
public:
    virtual ~Session() = default;
    virtual const std::string& id() const = 0;
    virtual std::shared_ptr<const Handshake> handshake() const = 0;
    virtual Reactor& reactor() = 0;
    virtual TransportKind transport() const = 0;
    /// The last heartbeat's round trip.
    virtual std::optional<Duration> latency() const = 0;
    /// Queues a message. After close it does nothing. Over the queue's limit the session ends with
    /// transport_error, logged as a slow consumer, after this call returned.
    virtual void send(const Frame& frame, SendOptions options) = 0;
    /// From within on_message: this is more than the client may send. It is read more slowly then.
    virtual void slow_down() = 0;
    /// Ends the session after what is queued has left; on_close follows after this call returned.
    virtual void close(CloseReason reason = CloseReason::forced_close) = 0;
};

/// Told of each new session, on the session's reactor. Returns its handler.
class SessionListener {
public:
    virtual ~SessionListener() = default;
    virtual std::shared_ptr<SessionHandler> on_session(std::shared_ptr<Session> session) = 0;
};

}  // namespace moonwire::engineio
