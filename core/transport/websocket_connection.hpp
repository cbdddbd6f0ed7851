#pragma once

#include <array>
#include <boost/asio/buffer.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/http/empty_body.hpp>
#include <boost/beast/http/message.hpp>
#include <boost/beast/websocket/rfc6455.hpp>
#include <functional>
#include <memory>
#include <string_view>

#include "core/transport/connection.hpp"
#include "core/transport/http.hpp"
#include "core/transport/websocket.hpp"

namespace moonwire::transport {

/// A server-side WebSocket over a send queue.
///
/// Beast reads (BeastWebSocket): frames, fragments, compression, UTF-8, pings, the closing
/// handshake. What it writes itself goes through SendStream; messages are pre-framed and go to the
/// same queue directly, so one write a turn takes both in order. Lives on one reactor; ends once,
/// with one on_close.
class WebSocketConnection : public Connection, public WebSocket {
public:
    /// Answers the upgrade request and goes on; the handler hears on_open or on_close later.
    static void start(Worker& worker, Link link, const HttpRequest& request,
                      std::shared_ptr<WebSocketHandler> handler, const Headers& headers,
                      std::string input);

    Reactor& reactor() override { return worker_.reactor; }
    void send(const Frame& frame, Flush flush, bool compress) override;
    bool writable() const override { return !queue_.blocked(); }
    std::size_t queued_bytes() const override { return queue_.queued_bytes(); }
    void close(std::uint16_t code) override;

    void end_now() override;

protected:
    using UpgradeRequest = boost::beast::http::request<boost::beast::http::empty_body>;
    using UpgradeResponse = boost::beast::websocket::response_type;
    using Decorator = std::function<void(UpgradeResponse&)>;

    /// `deflates`: permessage-deflate is agreed upon.
    WebSocketConnection(Worker& worker, Link link, std::shared_ptr<WebSocketHandler> handler,
                        bool deflates);

    /// Beast's part; each operation ends in the `on_` below it.
    virtual void begin_accept(const UpgradeRequest& request, const Decorator& decorate) = 0;
    void on_accepted(boost::system::error_code error);
    virtual void begin_read(boost::asio::mutable_buffer buffer) = 0;
    void on_read(boost::system::error_code error, std::size_t bytes);
    virtual void begin_close(std::uint16_t code) = 0;
    void on_closed(boost::system::error_code error);
    virtual std::size_t read_size_hint(std::size_t wish) const = 0;
    virtual bool message_done() const = 0;
    virtual bool message_binary() const = 0;

private:
    void accept(const HttpRequest& request, const Headers& headers, std::string_view extensions);
    void read();
    void on_read_failed(boost::system::error_code error);

    void on_readable() override {}  // Beast reads
    void on_deadline() override;
    void on_queue_sent() override {}
    void on_queue_failed(SendQueue::Failure failure) override;

    enum class Goodbye : std::uint8_t { linger, at_once };
    /// The only way to the end.
    void finish(WebSocketEnd end, Goodbye goodbye);

    std::shared_ptr<WebSocketHandler> handler_;  // until on_close
    // A message that fits is handed on from here: nothing to allocate, little to keep while idle.
    std::array<char, 256> small_;
    boost::beast::flat_buffer message_;  // a larger or fragmented one, until it is complete
    const bool deflates_;
    bool closing_ = false;
};

}  // namespace moonwire::transport
