#pragma once

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/socketio/server.hpp"

namespace moonwire::script {

/// A simulated client in one namespace: what it was told there.
struct TestSocket {
    enum class State { connecting, connected, refused, gone };
    struct Event {
        std::string name;
        socketio::OwnedPayload payload;  // `["name",…]`
        bool read = false;
    };

    const std::string nsp;
    State state = State::connecting;
    std::string id;       // once connected
    std::string refusal;  // JSON, when refused
    std::vector<Event> events;
    std::map<socketio::AckId, socketio::OwnedPayload> answers;  // not yet asked for
    socketio::AckId last_question = 0;

    explicit TestSocket(std::string nsp) : nsp(std::move(nsp)) {}
};
using TestSocketPtr = std::shared_ptr<TestSocket>;

/// A connection without a transport: `moonwire test` speaks for the client, in packets, so that
/// everything from the Socket.IO layer on is the broker's own. Lives on its reactor.
class TestSession final : public engineio::Session,
                          public std::enable_shared_from_this<TestSession> {
public:
    /// The server's event that asks for an acknowledgement; called from the loop, to be answered
    /// with `acknowledge`.
    using Question = std::function<void(TestSession&, const TestSocketPtr&, socketio::AckId,
                                        const TestSocket::Event&)>;

    TestSession(Reactor& reactor, std::string id, engineio::Handshake handshake, Question question);

    /// The Socket.IO layer's side of it; before anything else.
    void start(std::shared_ptr<engineio::SessionHandler> handler) { handler_ = std::move(handler); }

    // What the client does. The server's answers come in later turns of the loop.
    /// Sends CONNECT; `auth_json` is an object, or empty.
    TestSocketPtr connect(std::string nsp, std::string_view auth_json);
    /// Sends an event, `["name",…]`, and asks for its acknowledgement if given an id.
    void emit(const TestSocket& socket, const socketio::OwnedPayload& event,
              std::optional<socketio::AckId> id);
    void acknowledge(const TestSocket& socket, socketio::AckId id,
                     const socketio::OwnedPayload& arguments);
    void disconnect(TestSocket& socket);
    /// The connection breaks.
    void drop();

    const std::string& id() const override { return id_; }
    std::shared_ptr<const engineio::Handshake> handshake() const override { return handshake_; }
    Reactor& reactor() override { return reactor_; }
    engineio::TransportKind transport() const override {
        return engineio::TransportKind::websocket;
    }
    std::optional<Duration> latency() const override { return std::nullopt; }
    void send(const engineio::Frame& frame, engineio::SendOptions options) override;
    void slow_down() override {}
    void close(engineio::CloseReason reason) override;

private:
    /// A binary packet whose attachments are still arriving.
    struct Partial {
        std::string text;
        std::size_t missing;
        std::vector<SharedBytes> attachments;
    };
    void packet(socketio::PacketType type, const TestSocket& socket,
                const socketio::OwnedPayload& payload, std::optional<socketio::AckId> id);
    void receive(std::string_view text, std::vector<SharedBytes> attachments);
    void finish(engineio::CloseReason reason);
    TestSocketPtr find(std::string_view nsp) const;

    Reactor& reactor_;
    const std::string id_;
    const std::shared_ptr<const engineio::Handshake> handshake_;
    const Question question_;
    std::shared_ptr<engineio::SessionHandler> handler_;  // null once closed
    bool closing_ = false;
    std::vector<TestSocketPtr> sockets_;
    std::optional<Partial> partial_;
};

}  // namespace moonwire::script
