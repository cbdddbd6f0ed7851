#pragma once

#include <memory>
#include <span>
#include <string>
#include <string_view>

#include "core/base/token_bucket.hpp"
#include "core/transport/connection.hpp"
#include "core/transport/frame_reader.hpp"
#include "core/transport/http.hpp"
#include "core/transport/websocket.hpp"

namespace moonwire::transport {

/// A server-side WebSocket (RFC 6455) over a send queue.
///
/// It reads into its worker's scratch, so that all frames of one read are handed on from there and
/// nothing is held while idle. Messages to send are framed already; pongs and close frames meet
/// them in the queue, and one write a turn takes everything in order. Lives on one reactor; ends
/// once, with one on_close.
class WebSocketConnection final : public Connection, public WebSocket {
public:
    /// Answers the upgrade request and goes on; the handler hears on_open or on_close later.
    /// `input`: bytes that were read behind the request.
    static void start(Worker& worker, Link link, const HttpRequest& request,
                      std::shared_ptr<WebSocketHandler> handler, const Headers& headers,
                      std::string input);

    /// `deflates`: permessage-deflate is agreed upon.
    WebSocketConnection(Worker& worker, Link link, std::shared_ptr<WebSocketHandler> handler,
                        bool deflates);

    Reactor& reactor() override { return worker_.reactor; }
    void send(const Frame& frame, Flush flush, bool compress) override;
    bool writable() const override { return !queue_.blocked(); }
    std::size_t queued_bytes() const override { return queue_.queued_bytes(); }
    void slow_down() override { slowed_ = true; }
    void close(std::uint16_t code) override;

    void end_now() override;

private:
    void open(std::string input);
    /// Hands on what the bytes complete. They are changed.
    void take(std::span<char> bytes);
    void on_event(const FrameReader::Event& event);
    void on_message(const FrameReader::Event& event);
    void on_peer_close(const FrameReader::Event& event);
    /// Tells the peer what it did wrong, and ends.
    void reject(std::uint16_t code);
    void push_close(std::uint16_t code);

    void on_readable() override;
    void on_deadline() override;
    void on_queue_sent() override {}
    void on_queue_failed(SendQueue::Failure failure) override;

    enum class Goodbye : std::uint8_t { linger, at_once };
    /// The only way to the end.
    void finish(WebSocketEnd end, Goodbye goodbye);

    std::shared_ptr<WebSocketHandler> handler_;  // until on_close
    FrameReader reader_;
    const bool deflates_;
    TokenBucket controls_;  // what is left of the pings and pongs that it may send
    bool slowed_ = false;   // what came last was more than it may send
    bool closing_ = false;  // our close frame is queued; the peer's is awaited
};

}  // namespace moonwire::transport
