#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "tests/bench/load/stream.hpp"

namespace bench {

class Client;

/// What a scenario hears of its clients.
class ClientListener {
public:
    virtual void on_connected(Client& client) = 0;
    /// `packet` is a Socket.IO packet as text, such as `2["msg",…]` or `30[]`.
    virtual void on_packet(Client& client, std::string_view packet) = 0;
    virtual void on_lost(Client& client, const std::string& why) = 0;

protected:
    ~ClientListener() = default;
};

/// A Socket.IO client in the namespace "/", over WebSocket or HTTP polling.
class Client {
public:
    explicit Client(ClientListener& listener) : listener_(listener) {}
    virtual ~Client() = default;

    virtual void connect() = 0;
    virtual void send(std::string_view packet) = 0;
    virtual void close() = 0;

    std::size_t index = 0;  // the scenario's

protected:
    /// An Engine.IO packet; answers pings and enters the namespace.
    void on_engine_packet(std::string_view packet);
    virtual void send_engine_packet(std::string_view packet) = 0;

    ClientListener& listener_;
};

std::unique_ptr<Client> make_websocket_client(Loop& loop, const Endpoint& endpoint,
                                              ClientListener& listener);
std::unique_ptr<Client> make_polling_client(Loop& loop, const Endpoint& endpoint,
                                            ClientListener& listener);

}  // namespace bench
