#include "core/transport/http_exchange.hpp"

#include <utility>

#include "core/transport/websocket.hpp"

namespace moonwire::transport {

Exchange::Exchange(std::shared_ptr<HttpConnection> connection, HttpRequest request)
    : reactor_(connection->worker().reactor),
      connection_(std::move(connection)),
      request_(std::move(request)) {}

Exchange::~Exchange() {
    if (!connection_) return;
    // The last reference may die anywhere, also after the reactor has stopped.
    reactor_.run([connection = std::move(connection_)] {
        connection->answer({500, {{"Content-Type", "text/plain"}}, "Internal Server Error", false});
    });
}

void Exchange::respond(HttpResponse response) {
    on_abort_ = nullptr;
    if (const auto connection = std::exchange(connection_, nullptr)) connection->answer(response);
}

void Exchange::accept_websocket(std::shared_ptr<WebSocketHandler> handler, Headers headers) {
    on_abort_ = nullptr;
    const auto connection = std::exchange(connection_, nullptr);
    if (connection && request_.upgrade) {
        connection->upgrade(request_, std::move(handler), headers);
        return;
    }
    if (connection) connection->answer({400, {}, {}, true});
    // The handler was promised an end, but never from within this call.
    if (connection || aborted_)
        reactor_.post([handler = std::move(handler)] { handler->on_close(WebSocketEnd::failed); });
}

void Exchange::drop() {
    on_abort_ = nullptr;
    if (const auto connection = std::exchange(connection_, nullptr)) connection->drop();
}

void Exchange::on_abort(Task task) {
    if (connection_) on_abort_ = std::move(task);
}

void Exchange::abort() {
    aborted_ = true;
    connection_ = nullptr;
    if (Task task = std::exchange(on_abort_, nullptr)) task();
}

HttpRequest Exchange::take_request() {
    connection_ = nullptr;
    return std::move(request_);
}

}  // namespace moonwire::transport
