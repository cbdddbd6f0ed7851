#include "core/client/websocket_carrier.hpp"

#include <utility>

namespace moonwire::client {
namespace {

/// An Engine.IO packet is a WebSocket message, so there is nothing to do but pass it on.
class Inbound final : public transport::WebSocketClientHandler {
public:
    explicit Inbound(std::shared_ptr<CarrierHandler> handler) : handler_(std::move(handler)) {}
    void on_open() override {}
    void on_message(std::string_view payload, bool binary) override {
        handler_->on_packet(payload, binary);
    }
    void on_pong() override { handler_->on_settled(); }
    void on_drained() override { handler_->on_drained(); }
    void on_end(transport::ClientEnd end) override { handler_->on_end(std::move(end)); }

private:
    const std::shared_ptr<CarrierHandler> handler_;
};

class Outbound final : public Carrier {
public:
    explicit Outbound(std::shared_ptr<transport::WebSocketClient> socket)
        : socket_(std::move(socket)) {}
    void send(std::string packet, bool binary) override { socket_->send(std::move(packet), binary); }
    std::size_t buffered_bytes() const override { return socket_->buffered_bytes(); }
    void settle() override { socket_->ping(); }
    void close() override { socket_->close(); }

private:
    const std::shared_ptr<transport::WebSocketClient> socket_;
};

}  // namespace

std::shared_ptr<Carrier> connect_by_websocket(transport::AsioReactor& reactor,
                                              transport::WebSocketRequest request,
                                              std::shared_ptr<CarrierHandler> handler) {
    return std::make_shared<Outbound>(transport::connect_websocket(
        reactor, std::move(request), std::make_shared<Inbound>(std::move(handler))));
}

}  // namespace moonwire::client
