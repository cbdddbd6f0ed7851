#pragma once

#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include "core/transport/websocket_client.hpp"

namespace moonwire::client {

/// What carries Engine.IO packets to a server: a WebSocket, or HTTP long-polling. One reactor.
class Carrier {
public:
    virtual ~Carrier() = default;
    /// A text packet with its type ("4hello"), or a binary message.
    virtual void send(std::string packet, bool binary) = 0;
    /// What was sent and has not left yet. There is no limit: who sends much looks here.
    virtual std::size_t buffered_bytes() const = 0;
    /// The handler's on_settled follows once the server has had time for all that was sent.
    virtual void settle() = 0;
    /// After what is queued has left; the handler's on_end follows.
    virtual void close() = 0;
};

/// Whom the packets are for; shared with the carrier until on_end. Never called from within a call
/// into the carrier.
class CarrierHandler {
public:
    virtual ~CarrierHandler() = default;
    /// The packet is only valid during the call.
    virtual void on_packet(std::string_view packet, bool binary) = 0;
    virtual void on_settled() = 0;
    /// All that was sent has left.
    virtual void on_drained() = 0;
    /// Once, last; also when there never was a connection.
    virtual void on_end(transport::ClientEnd end) = 0;
};

/// Begins to connect to a server that whoever made this function knows.
using Connect = std::function<std::shared_ptr<Carrier>(std::shared_ptr<CarrierHandler>)>;

}  // namespace moonwire::client
