#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/base/reactor.hpp"
#include "core/client/carrier.hpp"
#include "core/socketio/packet.hpp"

namespace moonwire::client {

/// How a session ended.
struct SessionEnd {
    enum class Kind : std::uint8_t {
        unreachable,   // it never was in the namespace: no connection, or no Socket.IO server
        refused,       // the namespace said no
        lost,          // it was, and the connection broke
        disconnected,  // the server put it out of the namespace
        left,          // `leave` was called
    };
    Kind kind;
    std::string reason;  // in words for a person
    std::string data{};  // of a refusal: what the server gave with it, as JSON
};

/// Whom a session tells. Called from the carrier's loop or a timer, never from within a call into
/// the session, which stays valid during the call.
class SessionListener {
public:
    virtual ~SessionListener() = default;
    virtual void on_connected(std::string_view socket_id) = 0;
    /// `arguments` is a JSON array with bytes in their readable form (json_values.hpp).
    virtual void on_event(std::string_view name, std::string_view arguments) = 0;
    virtual void on_acknowledged(std::string_view arguments) = 0;
    virtual void on_settled() = 0;
    /// Once, last.
    virtual void on_end(SessionEnd end) = 0;
};

/// An event with its arguments, ready for the wire.
struct OutgoingEvent {
    std::string json;  // ["name",…]
    std::vector<std::string> attachments;
};

/// A client's session with one namespace: Engine.IO 4 with its heartbeat and Socket.IO 5 over any
/// carrier; no upgrade, no second namespace.
///
/// Lives on one reactor. What the server sends is checked: whatever breaks the protocol ends the
/// session with a reason. The listener outlives the session's end.
class Session final : public CarrierHandler, public std::enable_shared_from_this<Session> {
public:
    struct Options {
        std::string nsp = "/";
        std::string auth{};  // a JSON object, or empty
        Duration connect_timeout = std::chrono::seconds(20);  // until the namespace has answered
    };
    Session(Reactor& reactor, Options options, SessionListener& listener);

    /// Connects. Once, first.
    void start(const Connect& connect);
    /// Once connected; `on_acknowledged` tells the answer to the one that asked for it.
    void emit(const OutgoingEvent& event, bool acknowledge);
    /// The listener's on_settled follows once the server has had time for all that was emitted. To
    /// leave before may take it back: the Node server drops events that come with the goodbye.
    void settle();
    /// Leaves the namespace and closes, after all that was emitted. Nothing but on_end follows.
    void leave();

    // CarrierHandler
    void on_packet(std::string_view packet, bool binary) override;
    void on_settled() override;
    void on_end(transport::ClientEnd end) override;

private:
    void on_opened(std::string_view json);
    void on_message(std::string_view text);
    void on_attachment(std::string_view bytes);
    void on_socket_packet(const socketio::Packet& packet);
    void deliver(const socketio::Packet& packet);
    void expect(Duration within, const char* otherwise);
    /// From here on only the carrier's end is awaited.
    void finish(SessionEnd::Kind kind, std::string reason, std::string data = {});
    void broken(const std::string& how);

    Reactor& reactor_;
    const Options options_;
    SessionListener& listener_;
    std::shared_ptr<Carrier> carrier_;
    bool opened_ = false;            // the Engine.IO handshake is done
    bool connected_ = false;         // the namespace has let us in
    std::optional<SessionEnd> end_;  // known, while the carrier still closes
    Duration patience_{};            // for the server's next ping
    TimerId deadline_;               // to be let in, then for that ping
    std::string partial_;  // a packet whose attachments are still to come
    std::vector<std::string> attachments_;
};

}  // namespace moonwire::client
