#include "core/transport/websocket_client.hpp"

#include <openssl/ssl.h>
#include <openssl/x509_vfy.h>

#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/ssl.hpp>
#include <boost/beast/core.hpp>
#include <boost/beast/http/field.hpp>
#include <boost/beast/ssl.hpp>
#include <boost/beast/websocket.hpp>
#include <boost/beast/websocket/ssl.hpp>
#include <deque>
#include <type_traits>
#include <utility>

namespace moonwire::transport {
namespace {

namespace asio = boost::asio;
namespace beast = boost::beast;
namespace websocket = beast::websocket;
using asio::ip::tcp;
using boost::system::error_code;

constexpr auto kCloseTimeout = std::chrono::seconds(2);
constexpr std::size_t kMaxRefusalBytes = 64 * 1024;

using PlainStream = beast::tcp_stream;
using TlsStream = beast::ssl_stream<beast::tcp_stream>;

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
    /// `stream` goes to the stream's constructor.
    template <typename... Arguments>
    Connection(AsioReactor& reactor, WebSocketRequest request,
               std::shared_ptr<WebSocketClientHandler> handler,
               std::shared_ptr<asio::ssl::context> tls, Arguments&... stream)
        : reactor_(reactor),
          request_(std::move(request)),
          handler_(std::move(handler)),
          tls_(std::move(tls)),
          resolver_(reactor.context()),
          stream_(reactor.context(), stream...) {}

    void start() {
        resolver_.async_resolve(
            request_.server.host, std::to_string(request_.server.port),
            [self = this->shared_from_this()](error_code error, auto found) {
                if (!self->handler_) return;
                if (error) self->fail("cannot find the host: " + error.message());
                else self->on_resolved(found);
            });
    }

    void send(std::string payload, bool binary) override {
        if (!handler_ || closing_) return;
        queue_.emplace_back(std::move(payload), binary);
        if (queue_.size() == 1 && open_) write();
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

    void on_resolved(const tcp::resolver::results_type& found) {
        beast::get_lowest_layer(stream_).async_connect(found, then(&Connection::on_connected));
    }

    void on_connected(error_code error) {
        if (error) return fail(error.message());
        beast::get_lowest_layer(stream_).socket().set_option(tcp::no_delay(true), error);
        if constexpr (kTls) {
            auto& tls = stream_.next_layer();
            const std::string& host = request_.server.host;
            asio::ip::make_address(host, error);
            if (error) SSL_set_tlsext_host_name(tls.native_handle(), host.c_str());
            tls.set_verify_mode(request_.server.verify ? asio::ssl::verify_peer
                                                       : asio::ssl::verify_none);
            if (request_.server.verify)
                tls.set_verify_callback(asio::ssl::host_name_verification(host));
            tls.async_handshake(asio::ssl::stream_base::client, then(&Connection::on_secured));
        } else {
            upgrade();
        }
    }

    void on_secured(error_code error) {
        if constexpr (kTls) {
            if (!error) return upgrade();
            const long verdict = SSL_get_verify_result(stream_.next_layer().native_handle());
            if (verdict != X509_V_OK)
                return fail(std::string("the server's certificate is not trusted: ") +
                            X509_verify_cert_error_string(verdict));
            fail("TLS: " + error.message());
        }
    }

    void upgrade() {
        stream_.read_message_max(request_.max_message_bytes);
        stream_.set_option(
            websocket::stream_base::decorator([this](websocket::request_type& request) {
                for (const auto& [name, value] : request_.headers) request.set(name, value);
            }));
        stream_.async_handshake(response_, request_.server.authority(), request_.target,
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

    void read() { stream_.async_read(input_, then(&Connection::on_read)); }

    void on_read(error_code error) {
        if (error) return fail(ended_by(error));
        const auto bytes = input_.cdata();
        handler_->on_message({static_cast<const char*>(bytes.data()), bytes.size()},
                             stream_.got_binary());
        input_.clear();
        if (handler_) read();
    }

    void write() {
        stream_.binary(queue_.front().second);
        stream_.async_write(asio::buffer(queue_.front().first), then(&Connection::on_written));
    }

    void on_written(error_code error) {
        if (error) return fail(ended_by(error));
        queue_.pop_front();
        if (!queue_.empty()) write();
        else if (closing_) say_goodbye();
    }

    void say_goodbye() {
        // The pending read sees the server's answer, and ends it.
        stream_.async_close(websocket::close_code::normal,
                            [self = this->shared_from_this()](error_code) {});
    }

    void fail(std::string reason) { end({std::move(reason), 0, {}}); }

    void end(ClientEnd end) {
        const auto handler = std::exchange(handler_, nullptr);
        if (!handler) return;
        reactor_.cancel(deadline_);
        resolver_.cancel();
        beast::get_lowest_layer(stream_).close();
        handler->on_end(std::move(end));
    }

    AsioReactor& reactor_;
    const WebSocketRequest request_;
    std::shared_ptr<WebSocketClientHandler> handler_;  // null once ended
    const std::shared_ptr<asio::ssl::context> tls_;
    tcp::resolver resolver_;
    websocket::stream<Stream, false> stream_;
    websocket::response_type response_;
    beast::flat_buffer input_;
    std::deque<std::pair<std::string, bool>> queue_;  // the first is being written
    TimerId deadline_;
    bool open_ = false;
    bool closing_ = false;
};

}  // namespace

std::string RemoteServer::authority() const {
    std::string text = host.find(':') == std::string::npos ? host : "[" + host + "]";
    if (port != (secure ? 443 : 80)) text += ":" + std::to_string(port);
    return text;
}

std::shared_ptr<WebSocketClient> connect_websocket(
    AsioReactor& reactor, WebSocketRequest request,
    std::shared_ptr<WebSocketClientHandler> handler) {
    if (!request.server.secure) {
        auto connection = std::make_shared<Connection<PlainStream>>(
            reactor, std::move(request), std::move(handler), nullptr);
        connection->start();
        return connection;
    }
    auto tls = std::make_shared<asio::ssl::context>(asio::ssl::context::tls_client);
    error_code ignored;  // without authorities no certificate is trusted, which is then told
    tls->set_default_verify_paths(ignored);
    auto connection = std::make_shared<Connection<TlsStream>>(reactor, std::move(request),
                                                              std::move(handler), tls, *tls);
    connection->start();
    return connection;
}

}  // namespace moonwire::transport
