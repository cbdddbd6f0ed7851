#include "core/transport/websocket_client.hpp"

#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/ssl.hpp>
#include <boost/beast/core.hpp>
#include <boost/beast/http/field.hpp>
#include <boost/beast/ssl.hpp>
#include <boost/beast/websocket.hpp>
#include <boost/beast/websocket/ssl.hpp>
#include <deque>
#include <optional>
#include <type_traits>
#include <utility>

#include "core/transport/client_tls.hpp"
#include "core/transport/tcp_connector.hpp"

namespace moonwire::transport {
namespace {

namespace asio = boost::asio;
namespace beast = boost::beast;
namespace websocket = beast::websocket;
using asio::ip::tcp;
using boost::system::error_code;

constexpr auto kCloseTimeout = std::chrono::seconds(2);
constexpr std::size_t kMaxRefusalBytes = 64 * 1024;

using PlainStream = tcp::socket;
using TlsStream = beast::ssl_stream<tcp::socket>;

/// What this error of a read or write means to a person.
std::string ended_by(const error_code& error) {
    if (error == websocket::error::closed || error == asio::error::eof ||
        error == asio::ssl::error::stream_truncated)
        return "the server closed the connection";
    if (error == websocket::error::message_too_big) return "the server sent too long a message";
    return error.message();
}

template <typename Stream>
class Connection final : public WebSocketClient,
                         public std::enable_shared_from_this<Connection<Stream>> {
    static constexpr bool kTls = std::is_same_v<Stream, TlsStream>;

public:
    Connection(AsioReactor& reactor, WebSocketRequest request,
               std::shared_ptr<WebSocketClientHandler> handler)
        : reactor_(reactor), request_(std::move(request)), handler_(std::move(handler)) {}

    void start() {
        connector_ = std::make_shared<TcpConnector>(
            reactor_, [self = this->shared_from_this()](error_code error,
                                                        std::optional<tcp::socket> socket) {
                if (socket) self->on_connected(*std::move(socket));
                else self->fail(connect_problem(error));
            });
        connector_->start(names_, request_.url.host, request_.url.port);
    }

    void send(std::string payload, bool binary) override {
        if (!handler_ || closing_) return;
        buffered_bytes_ += payload.size();
        queue_.emplace_back(std::move(payload), binary);
        if (queue_.size() == 1 && open_) write();
    }

    std::size_t buffered_bytes() const override { return buffered_bytes_; }

    void ping() override {
        if (!handler_ || closing_) return;
        ping_wanted_ = true;
        if (queue_.empty() && open_) write_ping();
    }

    void close() override {
        if (!handler_ || std::exchange(closing_, true)) return;
        if (!open_) {
            reactor_.post([self = this->shared_from_this()] { self->fail("closed"); });
            return;
        }
        deadline_ = reactor_.after(kCloseTimeout, [weak = this->weak_from_this()] {
            if (const auto self = weak.lock()) self->fail("timed out");
        });
        if (queue_.empty()) say_goodbye();
    }

private:
    /// Calls the member function with the operation's error, unless the connection has ended.
    template <typename Next>
    auto then(Next next) {
        return [self = this->shared_from_this(), next](error_code error, auto&&...) {
            if (self->handler_) ((*self).*next)(error);
        };
    }

    void on_connected(tcp::socket socket) {
        error_code ignored;
        socket.set_option(tcp::no_delay(true), ignored);
        if constexpr (kTls) {
            auto tls = make_client_tls(request_.ca_file);
            if (!tls) return fail(tls.error().message);
            tls_ = *tls;
            if (!request_.verify) tls_->set_verify_mode(asio::ssl::verify_none);
            stream_.emplace(std::move(socket), *tls_);
            auto& layer = stream_->next_layer();
            if (!expect_host(layer.native_handle(), request_.url.host))
                return fail("TLS: out of memory");
            layer.async_handshake(asio::ssl::stream_base::client, then(&Connection::on_secured));
        } else {
            stream_.emplace(std::move(socket));
            upgrade();
        }
    }

    void on_secured(error_code error) {
        if constexpr (kTls) {
            if (error)
                return fail(handshake_problem(stream_->next_layer().native_handle(), error));
            upgrade();
        }
    }

    void upgrade() {
        stream_->control_callback([this](websocket::frame_type kind, beast::string_view) {
            // From within a read, which the handler's calls must not be.
            if (kind == websocket::frame_type::pong)
                reactor_.post([self = this->shared_from_this()] {
                    if (self->handler_) self->handler_->on_pong();
                });
        });
        stream_->read_message_max(request_.max_message_bytes);
        stream_->set_option(
            websocket::stream_base::decorator([this](websocket::request_type& request) {
                for (const auto& [name, value] : request_.headers) request.set(name, value);
            }));
        stream_->async_handshake(response_, request_.url.authority(), request_.url.target,
                                then(&Connection::on_upgraded));
    }

    void on_upgraded(error_code error) {
        if (error == websocket::error::upgrade_declined) {
            std::string body = response_.body().substr(0, kMaxRefusalBytes);
            const unsigned status = response_.result_int();
            return end({"the server refused", status, std::move(body)});
        }
        if (error)
            return fail(error == beast::http::error::end_of_stream
                            ? "the server closed the connection"
                            : error.message());
        open_ = true;
        if (!queue_.empty()) write();
        handler_->on_open();
        read();
    }

    void read() { stream_->async_read(input_, then(&Connection::on_read)); }

    void on_read(error_code error) {
        if (error) return fail(ended_by(error));
        const auto bytes = input_.cdata();
        handler_->on_message({static_cast<const char*>(bytes.data()), bytes.size()},
                             stream_->got_binary());
        input_.clear();
        if (handler_) read();
    }

    void write() {
        stream_->binary(queue_.front().second);
        stream_->async_write(asio::buffer(queue_.front().first), then(&Connection::on_written));
    }

    void on_written(error_code error) {
        if (error) return fail(ended_by(error));
        buffered_bytes_ -= queue_.front().first.size();
        queue_.pop_front();
        if (!queue_.empty()) return write();
        if (ping_wanted_) write_ping();
        if (closing_) return say_goodbye();
        handler_->on_drained();
    }

    void write_ping() {
        ping_wanted_ = false;
        stream_->async_ping({}, [self = this->shared_from_this()](error_code) {});
    }

    void say_goodbye() {
        // The pending read sees the server's answer, and ends it.
        stream_->async_close(websocket::close_code::normal,
                            [self = this->shared_from_this()](error_code) {});
    }

    void fail(std::string reason) { end({std::move(reason), 0, {}}); }

    void end(ClientEnd end) {
        const auto handler = std::exchange(handler_, nullptr);
        if (!handler) return;
        reactor_.cancel(deadline_);
        connector_->cancel();
        if (stream_) {
            error_code ignored;
            beast::get_lowest_layer(*stream_).close(ignored);
        }
        handler->on_end(std::move(end));
    }

    AsioReactor& reactor_;
    const WebSocketRequest request_;
    std::shared_ptr<WebSocketClientHandler> handler_;  // null once ended
    NameLookup names_{reactor_};
    std::shared_ptr<TcpConnector> connector_;
    std::shared_ptr<asio::ssl::context> tls_;
    std::optional<websocket::stream<Stream, false>> stream_;  // once there is a connection
    websocket::response_type response_;
    beast::flat_buffer input_;
    std::deque<std::pair<std::string, bool>> queue_;  // the first is being written
    std::size_t buffered_bytes_ = 0;
    TimerId deadline_;
    bool open_ = false;
    bool ping_wanted_ = false;
    bool closing_ = false;
};

}  // namespace

std::shared_ptr<WebSocketClient> connect_websocket(
    AsioReactor& reactor, WebSocketRequest request,
    std::shared_ptr<WebSocketClientHandler> handler) {
    const auto begin = [&]<typename Stream>() -> std::shared_ptr<WebSocketClient> {
        auto connection = std::make_shared<Connection<Stream>>(reactor, std::move(request),
                                                               std::move(handler));
        connection->start();
        return connection;
    };
    return request.url.secure ? begin.operator()<TlsStream>() : begin.operator()<PlainStream>();
}

}  // namespace moonwire::transport
