#pragma once

#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "core/engineio/session.hpp"
#include "core/socketio/inbound_rate.hpp"
#include "core/socketio/packet.hpp"
#include "core/socketio/socket.hpp"

namespace moonwire::socketio {

class Server;
struct Refusal;

/// One connection's Socket.IO side: decodes its packets and hands them to the namespaces that it has
/// joined. Lives on its session's reactor, owned by the session; a violation of the protocol closes
/// the session ("parse error") with a logged reason.
class Client final : public engineio::SessionHandler, public std::enable_shared_from_this<Client> {
public:
    Client(Server& server, std::shared_ptr<engineio::Session> session);

    /// Arms the connect timeout; a client of protocol 4 (Engine.IO 3) is in "/" by itself.
    void start();

    void on_message(std::string_view payload, bool binary) override;
    void on_upgrade() override;
    void on_close(engineio::CloseReason reason) override;

    /// Tells the client that it has left the socket's namespace, by the server's will.
    void disconnect(Socket& socket);
    /// The same for all of its sockets, then closes the session.
    void disconnect_all();
    /// The answers to CONNECT. `data` is its payload; a recovered client gets what it `missed`
    /// before, and the `answers` to what it asked before it went after.
    void admit(Socket& socket, std::string_view data, const std::vector<Outgoing>& missed,
               const std::vector<Outgoing>& answers);
    void refuse(Socket& socket, const Refusal& refusal);

private:
    /// A binary packet whose attachments are still arriving.
    struct Partial {
        Packet packet;  // views `text`
        std::string text;
        std::vector<SharedBytes> attachments;
    };

    void on_msgpack(std::string_view message);
    void on_packet(const Packet& packet, std::span<const SharedBytes> attachments);
    void on_connect(std::string_view nsp, std::string auth_json);
    void on_ack(const SocketPtr& socket, const Packet& packet,
                std::span<const SharedBytes> attachments);
    /// Whether this packet of the socket's, or this CONNECT, is within what may be sent; else it
    /// was answered.
    bool within_rates(Socket* socket, const Packet& packet,
                      std::span<const SharedBytes> attachments);
    void over_rate(IncidentKind limit, Socket* socket, const Packet& packet);
    /// Tells the client that its event failed: as its acknowledgement, or in an `error` event.
    void fail_event(const Packet& packet, std::string_view error);
    /// Reports an incident of this client.
    void report_client(IncidentKind kind, const Socket* socket, std::string_view nsp = {},
                       std::string_view detail = {}) const;
    /// A packet without attachments.
    void send(PacketType type, std::string_view nsp, std::string_view json,
              engineio::SendOptions options = {});
    /// Whether it speaks the protocol that socket.io-client 2 has.
    bool is_legacy() const { return session_->handshake()->is_legacy(); }
    void on_event(const SocketPtr& socket, const Packet& packet,
                  std::span<const SharedBytes> attachments);
    void reject(std::string_view why);
    SocketPtr find(std::string_view wire_nsp) const;
    void forget(Socket& socket);

    Server& server_;
    std::shared_ptr<engineio::Session> session_;  // until on_close: they hold each other
    std::vector<SocketPtr> sockets_;              // few; by wire_nsp
    std::unique_ptr<Partial> partial_;
    TimerId connect_timer_;
    InboundBudget connects_;
};

}  // namespace moonwire::socketio
