#pragma once

#include <memory>

#include "core/transport/http.hpp"
#include "core/transport/http_connection.hpp"

namespace moonwire::transport {

/// The HttpExchange of one request on its connection. Held by the layer above; the connection
/// knows it weakly, to tell it of the peer's departure. After either has happened (an answer, a
/// departure) it no longer touches the connection.
class Exchange final : public HttpExchange {
public:
    Exchange(std::shared_ptr<HttpConnection> connection, HttpRequest request);
    ~Exchange() override;

    Reactor& reactor() override { return reactor_; }
    const HttpRequest& request() const override { return request_; }
    void respond(HttpResponse response) override;
    void accept_websocket(std::shared_ptr<WebSocketHandler> handler, Headers headers) override;
    void drop() override;
    void on_abort(Task task) override;
    bool pending() const override { return connection_ != nullptr; }

    /// The peer has gone.
    void abort();
    /// The request goes on elsewhere; this exchange is over without an answer.
    HttpRequest take_request();

private:
    Reactor& reactor_;
    std::shared_ptr<HttpConnection> connection_;  // until answered or aborted
    HttpRequest request_;
    Task on_abort_;
    bool aborted_ = false;
};

}  // namespace moonwire::transport
