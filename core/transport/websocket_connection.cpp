#include "core/transport/websocket_connection.hpp"

#include <algorithm>
#include <boost/asio/error.hpp>
#include <boost/beast/websocket/error.hpp>
#include <utility>

#include "core/transport/beast_websocket.hpp"
#include "core/transport/deflate_offer.hpp"
#include "core/transport/http_message.hpp"

namespace moonwire::transport {
namespace {

namespace asio = boost::asio;
namespace http = boost::beast::http;
namespace websocket = boost::beast::websocket;

constexpr std::size_t kReadStep = 64 * 1024;
/// Beast insists on a Server header; an empty one is taken out again.
constexpr std::string_view kEmptyServer = "Server: \r\n";
constexpr unsigned char kCloseFrame = 0x88;

}  // namespace

void SendStream::enqueue(SharedBytes bytes) {
    const bool ends = !in_handshake_ && static_cast<unsigned char>(*bytes.data()) == kCloseFrame;
    const auto server = in_handshake_ ? bytes.view().find(kEmptyServer) : std::string_view::npos;
    in_handshake_ = false;
    if (server != std::string_view::npos)
        bytes = SharedBytes::concat(
            {bytes.view().substr(0, server), bytes.view().substr(server + kEmptyServer.size())});
    queue_.push(std::move(bytes), Flush::turn);
    if (ends) queue_.seal();  // RFC 6455 section 5.5.1: nothing follows a close frame
}

void WebSocketConnection::start(Worker& worker, Link link, const HttpRequest& request,
                                std::shared_ptr<WebSocketHandler> handler, const Headers& headers,
                                std::string input) {
    const std::string_view extensions =
        worker.options.deflate ? accept_deflate(request) : std::string_view();
    std::shared_ptr<WebSocketConnection> connection;
    if (!extensions.empty())
        connection = std::make_shared<BeastWebSocket<true>>(worker, std::move(link),
                                                            std::move(handler), std::move(input));
    else
        connection = std::make_shared<BeastWebSocket<false>>(worker, std::move(link),
                                                             std::move(handler), std::move(input));
    connection->enter();
    worker.stats.websockets.add();
    connection->accept(request, headers, extensions);
}

WebSocketConnection::WebSocketConnection(Worker& worker, Link link,
                                         std::shared_ptr<WebSocketHandler> handler, bool deflates)
    : Connection(worker, std::move(link), worker.options.send_queue_bytes),
      handler_(std::move(handler)),
      deflates_(deflates) {}

void WebSocketConnection::accept(const HttpRequest& request, const Headers& headers,
                                 std::string_view extensions) {
    UpgradeRequest upgrade(http::verb::get, "/", 11);
    upgrade.set(http::field::host, "-");
    upgrade.set(http::field::connection, "upgrade");
    upgrade.set(http::field::upgrade, "websocket");
    upgrade.set(http::field::sec_websocket_version, "13");
    upgrade.set(http::field::sec_websocket_key, request.header("sec-websocket-key"));
    begin_accept(upgrade, [&](UpgradeResponse& response) {
        for (const auto& [name, value] : headers) response.insert(name, one_line(value));
        response.set(http::field::server, "");
        // Negotiated already; Beast takes what it is to read from this.
        if (!extensions.empty())
            response.set(http::field::sec_websocket_extensions,
                         {extensions.data(), extensions.size()});
    });
}

void WebSocketConnection::on_accepted(boost::system::error_code error) {
    if (!handler_) return;
    if (error) {
        finish(WebSocketEnd::failed, Goodbye::at_once);
        return;
    }
    const auto handler = handler_;
    handler->on_open(*this);
    read();
}

void WebSocketConnection::read() {
    if (!handler_ || closing_) return;
    if (message_.size() == 0) {
        begin_read(asio::buffer(small_));
    } else {
        // Grows with what has come, not with what a header announces.
        const std::size_t step = std::clamp<std::size_t>(message_.size(), 4096, kReadStep);
        begin_read(message_.prepare(read_size_hint(step)));
    }
}

void WebSocketConnection::on_read(boost::system::error_code error, std::size_t bytes) {
    if (!handler_) return;
    if (error) {
        on_read_failed(error);
        return;
    }
    const bool done = message_done();
    std::string_view payload(small_.data(), bytes);
    if (message_.size() > 0) {
        message_.commit(bytes);
        payload = {static_cast<const char*>(message_.cdata().data()), message_.size()};
    } else if (!done && bytes > 0) {
        asio::buffer_copy(message_.prepare(bytes), asio::buffer(payload));
        message_.commit(bytes);
    }
    if (done) {
        const auto handler = handler_;
        if (!closing_) handler->on_message(payload, message_binary());
        message_.clear();
        message_.shrink_to_fit();
    }
    read();
}

void WebSocketConnection::on_read_failed(boost::system::error_code error) {
    if (error == websocket::error::closed) {
        finish(WebSocketEnd::closed, Goodbye::linger);
    } else if (error == websocket::error::message_too_big) {
        finish(WebSocketEnd::too_large, Goodbye::linger);
    } else if (error == asio::error::eof) {
        finish(WebSocketEnd::closed, Goodbye::at_once);
    } else if (error == asio::error::operation_aborted && closing_) {
        // The closing handshake took the reading over; on_closed tells how it ended.
    } else if (error.category() == asio::error::get_system_category()) {
        finish(WebSocketEnd::failed, Goodbye::at_once);
    } else {
        finish(WebSocketEnd::failed, Goodbye::linger);  // a breach of the protocol: it was told
    }
}

void WebSocketConnection::send(const Frame& frame, Flush flush, bool compress) {
    if (!handler_ || closing_) return;
    const bool deflated =
        deflates_ && compress && frame.payload().size() >= worker_.options.deflate_threshold_bytes;
    queue_.push(deflated ? frame.deflated(worker_.deflater) : frame.wire(), flush);
}

void WebSocketConnection::close(std::uint16_t code) {
    if (!handler_ || closing_) return;
    closing_ = true;
    set_deadline(worker_.options.close_timeout);
    begin_close(code);
}

void WebSocketConnection::on_closed(boost::system::error_code error) {
    if (!error || error == asio::error::eof) finish(WebSocketEnd::closed, Goodbye::linger);
    else finish(WebSocketEnd::failed, Goodbye::at_once);
}

void WebSocketConnection::on_deadline() { finish(WebSocketEnd::failed, Goodbye::at_once); }

void WebSocketConnection::on_queue_failed(SendQueue::Failure failure) {
    WebSocketEnd end = WebSocketEnd::failed;
    if (failure == SendQueue::Failure::overflow) end = WebSocketEnd::overflow;
    if (failure == SendQueue::Failure::stale) end = WebSocketEnd::stale;
    if (end != WebSocketEnd::failed) worker_.stats.slow_consumers.add();
    finish(end, Goodbye::at_once);
}

void WebSocketConnection::end_now() {
    finish(WebSocketEnd::closed, Goodbye::at_once);
    close_socket();
}

void WebSocketConnection::finish(WebSocketEnd end, Goodbye goodbye) {
    if (!handler_) return;
    const auto hold = shared_from_this();
    const auto handler = std::exchange(handler_, nullptr);
    worker_.stats.websockets_closed.add();
    clear_deadline();
    if (goodbye == Goodbye::linger) linger();
    else close_socket();
    handler->on_close(end);
}

}  // namespace moonwire::transport
