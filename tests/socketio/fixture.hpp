#pragma once

#include <doctest/doctest.h>

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "core/base/manual_reactor.hpp"
#include "core/socketio/namespace.hpp"
#include "core/socketio/server.hpp"

namespace moonwire::socketio {

/// A session with no transport: keeps what was sent; the test speaks for the client.
class FakeSession final : public engineio::Session {
public:
    FakeSession(Reactor& reactor, std::string id) : reactor_(reactor), id_(std::move(id)) {}

    const std::string& id() const override { return id_; }
    std::shared_ptr<const engineio::Handshake> handshake() const override { return handshake_; }
    Reactor& reactor() override { return reactor_; }
    engineio::TransportKind transport() const override { return kind; }
    std::optional<Duration> latency() const override { return std::nullopt; }
    void send(const engineio::Frame& frame, engineio::SendOptions options) override {
        if (closed || (options.is_volatile && !writable)) return;
        wires.push_back(frame.wire().data());
        sent.emplace_back(frame.is_binary() ? "b:" + std::string(frame.payload())
                                            : std::string(engineio::message_text(frame)));
    }
    void slow_down() override { ++slowed; }
    void close(engineio::CloseReason reason) override {
        if (closed) return;
        closed = reason;
        reactor_.post([this, reason] { finish(reason); });
    }

    /// What the client sends.
    void receive(std::string_view text) { handler->on_message(text, false); }
    void receive_binary(std::string_view bytes) { handler->on_message(bytes, true); }
    /// The client's WebSocket takes over.
    void upgrade() {
        kind = engineio::TransportKind::websocket;
        handler->on_upgrade();
    }
    /// The client's connection is gone.
    void finish(engineio::CloseReason reason) {
        if (const auto last = std::exchange(handler, nullptr)) last->on_close(reason);
    }
    /// What was sent since the last call.
    std::vector<std::string> take() { return std::exchange(sent, {}); }

    std::shared_ptr<engineio::SessionHandler> handler;
    std::vector<std::string> sent;
    std::vector<const void*> wires;  // the frames' addresses: shared or not?
    std::optional<engineio::CloseReason> closed;
    bool writable = true;
    int slowed = 0;  // messages that were more than it may send
    engineio::TransportKind kind = engineio::TransportKind::websocket;
    void speak_protocol(unsigned version) { handshake_->protocol = version; }

private:
    Reactor& reactor_;
    const std::string id_;
    const std::shared_ptr<engineio::Handshake> handshake_ = std::make_shared<engineio::Handshake>();
};

/// A handler that writes down what it is told, and answers as the test asks.
class RecordingHandler final : public NamespaceHandler {
public:
    void on_connecting(const SocketPtr& socket, std::string_view auth,
                       ConnectDecision decide) override {
        note("connecting " + std::string(auth));
        if (!user.empty()) socket->set_user(user);
        if (hold) pending.push_back(std::move(decide));
        else decide(refusal);
        last = socket;
    }
    void on_connect(const SocketPtr& socket) override {
        note("connect");
        last = socket;
    }
    bool on_event(const SocketPtr& socket, std::string_view event, Payload payload,
                  Acknowledgement acknowledgement) override {
        std::string line = "event " + std::string(event) + " " + std::string(payload.json);
        for (const SharedBytes& bytes : payload.attachments) line += " " + std::string(bytes.view());
        note(std::move(line));
        last = socket;
        if (event == "echo") acknowledgement.reply(payload);
        if (event == "fail") acknowledgement.fail(R"({"code":"no"})");
        if (event == "keep") kept.push_back(std::move(acknowledgement));
        return event != "broken";
    }
    void on_disconnecting(const SocketPtr& socket, std::string_view reason) override {
        note("disconnecting " + std::string(reason) + " rooms " +
             std::to_string(socket->rooms().size()));
    }
    void on_disconnect(const SocketPtr&, std::string_view reason) override {
        note("disconnect " + std::string(reason));
    }
    void on_resume(const SocketPtr& before, const SocketPtr& socket,
                   std::string_view auth) override {
        note("resume " + std::string(auth));
        socket->set_data(before->take_data());
        last = socket;
    }
    void on_expired(const SocketPtr& socket) override { note("expired " + socket->id()); }
    void on_server_event(std::string_view event, Payload payload) override {
        note("server " + std::string(event) + " " + std::string(payload.json));
    }

    std::vector<std::string> take() { return std::exchange(notes, {}); }
    /// A socket holds its namespace, which holds this.
    void let_go() {
        kept.clear();
        pending.clear();
        last.reset();
    }

    bool hold = false;
    std::optional<Refusal> refusal;
    std::string user;  // whom middleware finds every client to be
    std::vector<ConnectDecision> pending;
    std::vector<Acknowledgement> kept;
    std::vector<std::string> notes;
    SocketPtr last;

private:
    void note(std::string line) { notes.push_back(std::move(line)); }
};

/// A server with "/" and "/chat", and as many sessions as the test wants.
struct Fixture {
    explicit Fixture(ServerOptions options = {}) : server(options, {&reactor}) {
        REQUIRE(server.add("/", reactor, main));
        REQUIRE(server.add("/chat", reactor, chat));
    }
    ~Fixture() {
        for (const auto& session : sessions) session->finish(engineio::CloseReason::transport_close);
        reactor.settle();
        for (const auto& handler : handlers) handler->let_go();
    }

    std::shared_ptr<RecordingHandler> make_handler() {
        handlers.push_back(std::make_shared<RecordingHandler>());
        return handlers.back();
    }
    std::shared_ptr<FakeSession> open(unsigned protocol = 4) {
        auto session =
            std::make_shared<FakeSession>(reactor, "session" + std::to_string(sessions.size()));
        session->speak_protocol(protocol);
        session->handler = server.on_session(session);
        sessions.push_back(session);
        return session;
    }
    /// Opens a session and joins a namespace; forgets the answer.
    std::shared_ptr<FakeSession> join(const std::string& nsp = "/") {
        auto session = open();
        session->receive(nsp == "/" ? "0" : "0" + nsp + ",");
        reactor.settle();
        session->take();
        session->wires.clear();
        return session;
    }
    Namespace& nsp(std::string_view name) { return *server.find(name); }

    ManualReactor reactor;
    std::vector<std::shared_ptr<RecordingHandler>> handlers;
    std::shared_ptr<RecordingHandler> main = make_handler();
    std::shared_ptr<RecordingHandler> chat = make_handler();
    Server server;
    std::vector<std::shared_ptr<FakeSession>> sessions;
};

using Lines = std::vector<std::string>;

}  // namespace moonwire::socketio
