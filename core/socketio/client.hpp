#pragma once

#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "core/engineio/session.hpp"
#include "core/socketio/packet.hpp"
#include "core/socketio/socket.hpp"

namespace moonwire::socketio {

class Server;

/// One connection's Socket.IO side: decodes its packets and hands them to the namespaces that it has
/// joined. Lives on its session's reactor, owned by the session; a violation of the protocol closes
/// the session ("parse error") with a logged reason.
class Client final : public engineio::SessionHandler, public std::enable_shared_from_this<Client> {
public:
    Client(Server& server, std::shared_ptr<engineio::Session> session);

    /// Arms the connect timeout.
    void start();

    void on_message(std::string_view payload, bool binary) override;
    void on_close(engineio::CloseReason reason) override;

    /// Tells the client that it has left the socket's namespace, by the server's will.
    void disconnect(Socket& socket);
    /// The same for all of its sockets, then closes the session.
    void disconnect_all();
    /// The answers to CONNECT.
    void admit(Socket& socket);
    void refuse(Socket& socket, std::string_view error_json);

private:
    /// A binary packet whose attachments are still arriving.
    struct Partial {
        Packet packet;  // views `text`
        std::string text;
        std::vector<SharedBytes> attachments;
    };

    void on_packet(const Packet& packet, std::span<const SharedBytes> attachments);
    void on_connect(const Packet& packet);
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
};

}  // namespace moonwire::socketio
