#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
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

/// What an event or an acknowledgement brought; valid during the call.
struct Incoming {
    std::string_view arguments;                // a compact JSON array, as the wire has it
    std::span<const std::string> attachments;  // what its placeholders stand for
    std::optional<socketio::AckId> id;  // which acknowledgement it is, or what the event asks for
};

/// Whom a session tells. Called from the carrier's loop or a timer, never from within a call into
/// the session, which stays valid during the call.
class SessionListener {
public:
    virtual ~SessionListener() = default;
    virtual void on_connected(std::string_view socket_id) = 0;
    virtual void on_event(std::string_view name, const Incoming& incoming) = 0;
    virtual void on_acknowledged(const Incoming& incoming) = 0;
    virtual void on_settled() = 0;
    /// All that was sent has left; unless it is settled.
    virtual void on_drained() {}
    /// Once, last.
    virtual void on_end(SessionEnd end) = 0;
};

/// An event with its arguments, or an acknowledgement's, ready for the wire.
struct OutgoingEvent {
    std::string json;  // ["name",…], or […]
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
        std::size_t max_packet_bytes = 64u << 20;  // from the server, with its attachments
    };
    Session(Reactor& reactor, Options options, SessionListener& listener);

    /// Connects. Once, first.
    void start(const Connect& connect);
    /// Once connected; with an id an acknowledgement is asked for, which `on_acknowledged` tells.
    void emit(const OutgoingEvent& event, std::optional<socketio::AckId> id = std::nullopt);
    /// Answers an event that asked for it.
    void acknowledge(socketio::AckId id, const OutgoingEvent& arguments);
    /// What was sent and has not left yet.
    std::size_t buffered_bytes() const { return carrier_ ? carrier_->buffered_bytes() : 0; }
    /// The listener's on_settled follows once the server has had time for all that was emitted. To
    /// leave before may take it back: the Node server drops events that come with the goodbye.
    void settle();
    /// Leaves the namespace and closes, after all that was emitted. Nothing but on_end follows.
    void leave();

    // CarrierHandler
    void on_packet(std::string_view packet, bool binary) override;
    void on_settled() override;
    void on_drained() override;
    void on_end(transport::ClientEnd end) override;

private:
    void on_opened(std::string_view json);
    void on_message(std::string_view text);
    void on_attachment(std::string_view bytes);
    void on_socket_packet(const socketio::Packet& packet);
    void deliver(const socketio::Packet& packet);
    void send(socketio::PacketType type, std::optional<socketio::AckId> id,
              const OutgoingEvent& data);
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
    std::size_t partial_bytes_ = 0;  // of both
};

}  // namespace moonwire::client
