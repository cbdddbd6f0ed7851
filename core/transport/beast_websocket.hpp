#pragma once

#include <boost/beast/websocket/stream.hpp>
#include <memory>
#include <string>
#include <utility>

#include "core/transport/send_stream.hpp"
#include "core/transport/websocket_connection.hpp"

namespace moonwire::transport {

/// The WebSocketConnection that reads with Beast's stream. The stream is of another type where
/// compressed messages are to be read, and larger, so that others don't pay for it.
template <bool deflate>
class BeastWebSocket final : public WebSocketConnection {
public:
    BeastWebSocket(Worker& worker, Link link, std::shared_ptr<WebSocketHandler> handler,
                   std::string input)
        : WebSocketConnection(worker, std::move(link), std::move(handler), deflate),
          stream_(link_, queue_, worker.stats.bytes_in, std::move(input)) {
        stream_.read_message_max(worker.options.max_message_bytes);  // inflated
        if constexpr (deflate) {
            boost::beast::websocket::permessage_deflate options;
            options.server_enable = true;
            stream_.set_option(options);
        }
    }

private:
    using Base = boost::beast::websocket::stream_base;

    void begin_accept(const UpgradeRequest& request, const Decorator& decorate) override {
        // Called before async_accept returns, and not again.
        stream_.set_option(Base::decorator(decorate));
        stream_.async_accept(
            request, [self = self<BeastWebSocket>()](auto error) { self->on_accepted(error); });
        stream_.set_option(Base::decorator([](UpgradeResponse&) {}));
    }
    void begin_read(boost::asio::mutable_buffer buffer) override {
        stream_.async_read_some(buffer,
                                [self = self<BeastWebSocket>()](auto error, std::size_t bytes) {
                                    self->on_read(error, bytes);
                                });
    }
    void begin_close(std::uint16_t code) override {
        stream_.async_close(
            static_cast<boost::beast::websocket::close_code>(code),
            [self = self<BeastWebSocket>()](auto error) { self->on_closed(error); });
    }
    std::size_t read_size_hint(std::size_t wish) const override {
        return stream_.read_size_hint(wish);
    }
    bool message_done() const override { return stream_.is_message_done(); }
    bool message_binary() const override { return stream_.got_binary(); }

    boost::beast::websocket::stream<SendStream, deflate> stream_;
};

}  // namespace moonwire::transport
