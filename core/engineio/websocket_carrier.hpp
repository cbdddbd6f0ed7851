#pragma once

#include <memory>
#include <string_view>

#include "core/base/shared_counts.hpp"
#include "core/engineio/dialect.hpp"
#include "core/engineio/session.hpp"
#include "core/transport/http.hpp"
#include "core/transport/websocket.hpp"

namespace moonwire::engineio {

class Engine;
class EngineSession;

/// One WebSocket under Engine.IO: a session of its own from the handshake on, or a candidate that
/// takes over a polling session. Shared with the transport until the WebSocket has ended; lives on
/// the session's reactor.
class WebSocketCarrier final : public transport::WebSocketHandler,
                               public std::enable_shared_from_this<WebSocketCarrier> {
public:
    /// `session` is null for a handshake: the session opens with the WebSocket, and gets `place`.
    WebSocketCarrier(Engine& engine, transport::HttpRequest request,
                     std::shared_ptr<EngineSession> session, SharedCounts::Place place = {});

    void on_open(transport::WebSocket& socket) override;
    void on_message(std::string_view payload, bool binary) override;
    void on_close(transport::WebSocketEnd end) override;

    void send(const Frame& frame, transport::Flush flush, bool compress = true) {
        if (socket_) socket_->send(dialect_.frame_for(frame), flush, compress);
    }
    Dialect dialect() const noexcept { return dialect_; }
    void slow_down() {
        if (socket_) socket_->slow_down();
    }
    bool writable() const { return socket_ && socket_->writable(); }
    /// The session no longer wants to hear of it.
    void close(std::uint16_t code);

private:
    Engine& engine_;
    transport::HttpRequest request_;  // until open
    SharedCounts::Place place_;       // the same
    const Dialect dialect_;
    std::shared_ptr<EngineSession> session_;
    transport::WebSocket* socket_ = nullptr;
};

}  // namespace moonwire::engineio
