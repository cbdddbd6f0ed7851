#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "core/base/function.hpp"
#include "core/base/incident.hpp"
#include "core/engineio/session.hpp"
#include "core/socketio/inbound_rate.hpp"
#include "core/socketio/outgoing.hpp"
#include "core/socketio/packet.hpp"

namespace moonwire::socketio {

class Client;
class Namespace;
struct Continuity;
class Socket;
using SocketPtr = std::shared_ptr<Socket>;

/// The outcome of waiting for a client's acknowledgement.
enum class AckOutcome : std::uint8_t {
    answered,
    timeout,
    disconnected,
    overloaded,  // too many are awaited from this socket
};
/// Called once, on the namespace's reactor; `payload` is meaningful when answered. Returns false if
/// the payload is not valid JSON: the sender's connection is then closed.
using AckCallback = Function<bool(AckOutcome, Payload)>;

/// What the layer above hangs on a socket (its script object, `socket.data`).
class SocketData {
public:
    virtual ~SocketData() = default;
};

/// One client in one namespace.
///
/// It has two faces on two reactors (often the same): the *home* face, on the namespace's reactor,
/// is what handlers use; the *connection* face, on the session's reactor, is what writes. What is
/// fixed at creation may be read from both.
class Socket final : public std::enable_shared_from_this<Socket> {
public:
    Socket(std::string id, std::shared_ptr<Namespace> nsp, std::string wire_nsp,
           std::shared_ptr<engineio::Session> session);

    // Fixed at creation (id and user once it is admitted: a recovered socket gets its old ones):
    // any thread.
    const std::string& id() const noexcept { return id_; }
    Namespace& nsp() const noexcept { return *nsp_; }
    /// The name that the client knows the namespace by: an alias, or the namespace's own.
    const std::string& wire_nsp() const noexcept { return wire_nsp_; }
    const engineio::Handshake& handshake() const noexcept { return *handshake_; }
    engineio::Session& session() const noexcept { return *session_; }
    /// Who it is, as middleware found out; empty if it did not.
    const std::string& user() const noexcept { return user_; }
    void report(IncidentKind kind, std::string_view detail = {}) const;

    // Connection face: on the session's reactor.
    /// CONNECT was answered and the client has not left: what is sent now reaches it.
    bool is_open() const noexcept { return open_; }

    // Home face: on the namespace's reactor.
    /// From the moment CONNECT was answered until the disconnect is under way.
    bool connected() const noexcept { return state_ == State::connected; }
    /// Its client has gone and may come back; nothing is sent meanwhile.
    bool is_away() const noexcept { return state_ == State::away; }
    /// Its client came back, and lost nothing.
    bool recovered() const noexcept;
    /// The socket's own room (its id) is not listed: it is implied.
    const std::vector<std::string>& rooms() const noexcept { return rooms_; }
    bool in_room(std::string_view room) const;
    /// False if it is in too many rooms already, or has left.
    bool join(std::string_view room);
    void leave(std::string_view room);
    /// `payload` is `["event",...]`.
    void emit(Payload payload, engineio::SendOptions options = {});
    /// Emits and waits for the acknowledgement; no timeout waits until the socket leaves. A socket
    /// that is not connected answers `disconnected`, one that owes too many acknowledgements
    /// `overloaded` (after this call returned).
    void call(Payload payload, std::optional<Duration> timeout, AckCallback callback);
    /// Answers an event that asked for an acknowledgement; a second answer does nothing.
    void acknowledge(AckId id, Payload payload);
    /// Leaves the namespace ("server namespace disconnect"); with `close` the connection's other
    /// sockets leave too, and it ends. Handlers run after this call returned.
    void disconnect(bool close);
    /// Closes the connection for sending something that can't be parsed.
    void reject_input();
    /// While it is being connected: what `user()` is from then on.
    void set_user(std::string user) { user_ = std::move(user); }
    SocketData* data() const noexcept { return data_.get(); }
    void set_data(std::unique_ptr<SocketData> data) { data_ = std::move(data); }
    std::unique_ptr<SocketData> take_data() { return std::move(data_); }

private:
    friend class Client;
    friend class Namespace;
    friend class Acknowledgement;
    friend class Recovery;
    enum class State : std::uint8_t { connecting, connected, leaving, away, gone };
    struct PendingAck {
        AckCallback callback;
        TimerId timer;
        TimePoint asked;
    };
    /// Runs work that writes, on the session's reactor, in order.
    template <typename Work>
    void on_connection(Work work) {
        Reactor& reactor = session_->reactor();
        if (reactor.is_current()) {
            work(*this);
        } else {
            reactor.post([self = shared_from_this(), work = std::move(work)] { work(*self); });
        }
    }
    /// This socket, or the one that carries it on since its client came back.
    SocketPtr current();
    /// Takes over what was `before`'s: id, rooms, awaited acknowledgements.
    void carry_on(Socket& before);
    bool expect_ack(AckId id, std::optional<Duration> timeout, AckCallback& callback);
    /// Ends the wait for one acknowledgement; false if none was expected or it was not JSON.
    bool finish_ack(AckId id, AckOutcome outcome, Payload payload);
    void finish_acks_disconnected();
    Reactor& home() const noexcept;

    std::string id_;
    std::string user_;
    const std::shared_ptr<Namespace> nsp_;
    const std::string wire_nsp_;
    const std::shared_ptr<engineio::Session> session_;
    const std::shared_ptr<const engineio::Handshake> handshake_;

    // home
    State state_ = State::connecting;
    engineio::TransportKind counted_as_{};  // in the namespace's figures, while connected
    std::vector<std::string> rooms_;
    std::unordered_map<AckId, PendingAck> acks_;
    std::unique_ptr<SocketData> data_;
    std::shared_ptr<Continuity> continuity_;  // with recovery, once admitted

    // connection
    Client* client_ = nullptr;  // while the client lists this socket
    bool open_ = false;
    InboundBudget inbound_;

    // both
    std::atomic<std::uint32_t> in_flight_{0};  // events received and not yet handled
};

/// One inbound event being handled: its right to answer, and its place among the events that its
/// socket may have in flight. Home reactor; the event counts as handled when this is destroyed.
class Acknowledgement {
public:
    Acknowledgement(SocketPtr socket, std::optional<AckId> id);
    Acknowledgement(Acknowledgement&&) noexcept = default;
    Acknowledgement& operator=(Acknowledgement&&) = delete;
    ~Acknowledgement();

    bool wanted() const noexcept { return wanted_; }
    /// `payload` is the array of the acknowledgement's arguments. The first call counts.
    void reply(Payload payload);
    /// Tells the client that its event failed: `[{"error":error}]` as the acknowledgement, or,
    /// when none was asked for, an `error` event with `error` (a JSON object).
    void fail(std::string_view error_json);
    const SocketPtr& socket() const noexcept { return socket_; }

private:
    SocketPtr socket_;
    // Apart, for an optional would take eight bytes more: this waits in every handler's closure.
    AckId id_ = 0;
    bool wanted_ = false;
    bool answered_ = false;
};

}  // namespace moonwire::socketio
