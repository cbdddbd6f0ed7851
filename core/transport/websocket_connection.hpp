#pragma once

#include <array>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/websocket/stream.hpp>
#include <memory>
#include <string>

#include "core/transport/connection.hpp"
#include "core/transport/http.hpp"
#include "core/transport/send_stream.hpp"
#include "core/transport/websocket.hpp"

namespace moonwire::transport {

/// A server-side WebSocket over a send queue.
///
/// Beast reads: frames, fragments, UTF-8, pings, the closing handshake. What it writes itself goes
/// through SendStream; messages are pre-framed and go to the same queue directly, so one write a
/// turn takes both in order. Lives on one reactor; ends once, with one on_close.
class WebSocketConnection final : public Connection, public WebSocket {
public:
    /// Answers the upgrade request and goes on; the handler hears on_open or on_close later.
    static void start(Worker& worker, Link link, const HttpRequest& request,
                      std::shared_ptr<WebSocketHandler> handler, const Headers& headers,
                      std::string input);

    WebSocketConnection(Worker& worker, Link link, std::shared_ptr<WebSocketHandler> handler,
                        std::string input);

    Reactor& reactor() override { return worker_.reactor; }
    void send(const Frame& frame, Flush flush) override;
    bool writable() const override { return !queue_.blocked(); }
    std::size_t queued_bytes() const override { return queue_.queued_bytes(); }
    void close(std::uint16_t code) override;

    void end_now() override;

private:
    void accept(const HttpRequest& request, const Headers& headers);
    void on_accepted(boost::system::error_code error);
    void read();
    void on_read(boost::system::error_code error, std::size_t bytes);
    void on_read_failed(boost::system::error_code error);
    void on_closed(boost::system::error_code error);

    void on_readable() override {}  // Beast reads
    void on_deadline() override;
    void on_queue_sent() override {}
    void on_queue_failed(SendQueue::Failure failure) override;

    enum class Goodbye : std::uint8_t { linger, at_once };
    /// The only way to the end.
    void finish(WebSocketEnd end, Goodbye goodbye);

    std::shared_ptr<WebSocketHandler> handler_;  // until on_close
    boost::beast::websocket::stream<SendStream, false> stream_;
    // A message that fits is handed on from here: nothing to allocate, little to keep while idle.
    std::array<char, 256> small_;
    boost::beast::flat_buffer message_;  // a larger or fragmented one, until it is complete
    bool closing_ = false;
};

}  // namespace moonwire::transport
