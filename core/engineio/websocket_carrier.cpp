#include "core/engineio/websocket_carrier.hpp"

#include "core/engineio/engine.hpp"
#include "core/engineio/engine_session.hpp"

namespace moonwire::engineio {

WebSocketCarrier::WebSocketCarrier(Engine& engine, transport::HttpRequest request,
                                   std::shared_ptr<EngineSession> session,
                                   SharedCounts::Place place)
    : engine_(engine),
      request_(std::move(request)),
      place_(std::move(place)),
      dialect_(Dialect::of(request_)),
      session_(std::move(session)) {}

void WebSocketCarrier::on_open(transport::WebSocket& socket) {
    socket_ = &socket;
    if (session_) {
        if (!session_->offer(shared_from_this())) close(1000);
    } else {
        session_ = engine_.open(socket.reactor(), request_, shared_from_this(), std::move(place_));
        if (!session_) close(1013);  // try again later: shutting down or full
    }
    request_ = {};
}

void WebSocketCarrier::on_message(std::string_view payload, bool binary) {
    if (const auto session = session_) session->on_frame(*this, payload, binary);
}

void WebSocketCarrier::on_close(transport::WebSocketEnd end) {
    socket_ = nullptr;
    if (const auto session = std::exchange(session_, nullptr)) session->on_carrier_end(*this, end);
}

void WebSocketCarrier::close(std::uint16_t code) {
    session_.reset();
    if (socket_) socket_->close(code);
}

}  // namespace moonwire::engineio
