#include "core/transport/websocket_connection.hpp"

#include <utility>

#include "core/base/utf8.hpp"
#include "core/transport/deflate_offer.hpp"
#include "core/transport/websocket_handshake.hpp"

namespace moonwire::transport {
namespace {

/// Pings and pongs that a peer may send; one that sends more is read slowly.
const Rate kControls(20, 1);
constexpr std::uint16_t kNormal = 1000, kNoStatus = 1005, kInvalidData = 1007, kTooBig = 1009;

SharedBytes control_frame(unsigned char first, std::string_view payload) {
    const char header[] = {static_cast<char>(first), static_cast<char>(payload.size())};
    return SharedBytes::concat({{header, sizeof header}, payload});
}

bool is_utf8(std::string_view text) { return valid_utf8_prefix(text) == text.size(); }

}  // namespace

void WebSocketConnection::start(Worker& worker, Link link, const HttpRequest& request,
                                std::shared_ptr<WebSocketHandler> handler, const Headers& headers,
                                std::string input) {
    const std::string_view extensions =
        worker.options.deflate ? accept_deflate(request) : std::string_view();
    const auto connection = std::make_shared<WebSocketConnection>(
        worker, std::move(link), std::move(handler), !extensions.empty());
    connection->enter();
    worker.stats.websockets.add();
    connection->queue_.push(handshake_answer(request, headers, extensions), Flush::turn);
    worker.reactor.post(
        [connection, input = std::move(input)]() mutable { connection->open(std::move(input)); });
}

WebSocketConnection::WebSocketConnection(Worker& worker, Link link,
                                         std::shared_ptr<WebSocketHandler> handler, bool deflates)
    : Connection(worker, std::move(link), worker.options.send_queue_bytes),
      handler_(std::move(handler)),
      reader_(worker.options.max_message_bytes, deflates),
      deflates_(deflates) {}

void WebSocketConnection::open(std::string input) {
    if (!handler_) return;
    const auto handler = handler_;
    handler->on_open(*this);
    take(input);
    if (handler_) wait_readable();
}

void WebSocketConnection::on_readable() {
    const bool slowed = slowed_;
    const Received received = receive(slowed ? kSlowedBytes : worker_.scratch.size());
    if (received.reset) return finish(WebSocketEnd::failed, Goodbye::at_once);
    if (received.ended) return finish(WebSocketEnd::closed, Goodbye::at_once);
    queue_.begin_answers();
    take(received.bytes);
    queue_.end_answers();
    if (!handler_) return;
    if (!slowed || !slowed_) return wait_readable();
    worker_.reactor.after(kSlowedPause, [self = self<WebSocketConnection>()] {
        if (self->handler_) self->wait_readable();
    });
}

void WebSocketConnection::take(std::span<char> bytes) {
    const auto handler = handler_;  // one of its messages may be the end of it
    while (handler_) {
        const auto event = reader_.next(bytes);
        if (!event) return;
        on_event(*event);
    }
}

void WebSocketConnection::on_event(const FrameReader::Event& event) {
    switch (event.kind) {
        case FrameReader::Kind::message: return on_message(event);
        case FrameReader::Kind::ping:
            queue_.push(control_frame(0x8a, event.payload), Flush::turn);
            [[fallthrough]];
        case FrameReader::Kind::pong:
            if (!controls_.take(kControls, worker_.reactor.now())) slowed_ = true;
            return;
        case FrameReader::Kind::close: return on_peer_close(event);
        case FrameReader::Kind::fault: return reject(event.code);
    }
}

void WebSocketConnection::on_message(const FrameReader::Event& event) {
    if (closing_) return;
    std::string_view payload = event.payload;
    if (event.compressed) {
        const auto inflated = worker_.inflater.inflate(payload, worker_.options.max_message_bytes);
        if (inflated.status == Inflater::Status::too_large) return reject(kTooBig);
        if (inflated.status == Inflater::Status::broken) return reject(kInvalidData);
        payload = inflated.message;
    }
    if (!event.binary && !is_utf8(payload)) return reject(kInvalidData);
    slowed_ = slowed_ && !controls_.take(kControls, worker_.reactor.now(), 0);
    handler_->on_message(payload, event.binary);
}

void WebSocketConnection::on_peer_close(const FrameReader::Event& event) {
    if (!is_utf8(event.payload)) return reject(kInvalidData);
    if (!closing_) push_close(event.code == kNoStatus ? kNormal : event.code);
    finish(WebSocketEnd::closed, Goodbye::linger);
}

void WebSocketConnection::reject(std::uint16_t code) {
    if (!closing_) push_close(code);
    finish(code == kTooBig ? WebSocketEnd::too_large : WebSocketEnd::failed, Goodbye::linger);
}

void WebSocketConnection::push_close(std::uint16_t code) {
    const char status[] = {static_cast<char>(code >> 8), static_cast<char>(code)};
    queue_.push(control_frame(0x88, {status, sizeof status}), Flush::turn);
    queue_.seal();  // RFC 6455 section 5.5.1: nothing follows a close frame
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
    push_close(code);
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
