#include "core/transport/client_connection.hpp"

#include <sys/socket.h>

#include <boost/asio/error.hpp>
#include <boost/asio/ssl/error.hpp>
#include <boost/beast/http/error.hpp>
#include <boost/beast/http/read.hpp>
#include <boost/beast/http/write.hpp>
#include <cctype>
#include <cerrno>
#include <utility>

#include "core/transport/client_tls.hpp"

namespace moonwire::transport {
namespace {

namespace asio = boost::asio;
namespace http = boost::beast::http;

constexpr int kMaxInterim = 10;

http::request<http::string_body> compose(const OutgoingRequest& request) {
    http::request<http::string_body> message;
    message.version(11);
    message.method_string(request.method);
    message.target(request.url.target);
    message.set(http::field::host, request.url.authority());
    message.set(http::field::user_agent, "moonwire/" MOONWIRE_VERSION);
    for (const auto& [name, value] : request.headers) message.set(name, value);
    message.body() = request.body;
    message.prepare_payload();
    return message;
}

std::string lower(boost::beast::string_view text) {
    std::string lowered(text.data(), text.size());
    for (char& c : lowered) c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
    return lowered;
}

OutgoingResponse take_response(http::response<http::string_body>&& message) {
    OutgoingResponse response;
    response.status = message.result_int();
    for (const auto& field : message)
        response.headers.emplace_back(lower(field.name_string()),
                                      std::string(field.value().data(), field.value().size()));
    response.body = std::move(message.body());
    return response;
}

}  // namespace

ClientConnection::ClientConnection(Socket socket, const std::shared_ptr<asio::ssl::context>& tls)
    : stream_(std::in_place_type<Socket>, std::move(socket)) {
    boost::system::error_code ignored;
    std::get<Socket>(stream_).set_option(asio::ip::tcp::no_delay(true), ignored);
    if (tls) {
        Socket plain = std::move(std::get<Socket>(stream_));
        stream_.emplace<TlsStream>(std::move(plain), *tls);
    }
}

ClientConnection::Socket& ClientConnection::socket() {
    if (auto* plain = std::get_if<Socket>(&stream_)) return *plain;
    return std::get<TlsStream>(stream_).next_layer();
}

void ClientConnection::open(const std::string& host, Function<void(Result<void>)> done) {
    auto* tls = std::get_if<TlsStream>(&stream_);
    if (!tls) return done({});
    if (!expect_host(tls->native_handle(), host)) return done(Error{"TLS: out of memory"});
    tls->async_handshake(asio::ssl::stream_base::client,
                         [self = shared_from_this(), done = std::move(done)](
                             boost::system::error_code error) mutable {
                             if (!error) return done({});
                             auto& stream = std::get<TlsStream>(self->stream_);
                             done(Error{handshake_problem(stream.native_handle(), error)});
                         });
}

void ClientConnection::exchange(const OutgoingRequest& request, const HttpClientOptions& limits,
                                Function<void(Answer)> done) {
    request_ = compose(request);
    max_header_bytes_ = limits.max_header_bytes;
    max_body_bytes_ = limits.max_body_bytes;
    interim_ = 0;
    reusable_ = false;
    done_ = std::move(done);
    sent_ = false;
    std::visit(
        [this](auto& stream) {
            // What goes wrong with sending shows in reading, perhaps after an answer.
            http::async_write(
                stream, request_,
                [self = shared_from_this()](boost::system::error_code error, std::size_t) {
                    self->sent_ = !error;
                });
        },
        stream_);
    read();
}

void ClientConnection::read() {
    parser_.emplace();
    parser_->header_limit(static_cast<std::uint32_t>(max_header_bytes_));
    parser_->body_limit(max_body_bytes_);
    parser_->skip(request_.method() == http::verb::head);
    std::visit(
        [this](auto& stream) {
            http::async_read(
                stream, buffer_, *parser_,
                [self = shared_from_this()](boost::system::error_code error, std::size_t) {
                    self->on_read(error);
                });
        },
        stream_);
}

void ClientConnection::on_read(boost::system::error_code error) {
    if (error) return finish({Error{problem(error)}, parser_->got_some() || interim_ > 0});
    const unsigned status = parser_->get().result_int();
    if (status == 101 || interim_ == kMaxInterim)
        return finish({Error{"bad response: unexpected status " + std::to_string(status)}, true});
    if (status < 200) {
        ++interim_;
        return read();
    }
    reusable_ = parser_->keep_alive() && sent_ && buffer_.size() == 0;
    buffer_.shrink_to_fit();
    finish({take_response(parser_->release()), true});
}

void ClientConnection::finish(Answer answer) {
    auto done = std::move(done_);
    parser_.reset();
    done(std::move(answer));
}

bool ClientConnection::is_stale() {
    char byte;
    // Nothing may come before the next request; the end of the stream and an error are no better.
    const ssize_t got = ::recv(socket().native_handle(), &byte, 1, MSG_PEEK | MSG_DONTWAIT);
    return got >= 0 || (errno != EAGAIN && errno != EWOULDBLOCK);
}

void ClientConnection::close() {
    boost::system::error_code ignored;
    socket().close(ignored);
}

std::string ClientConnection::problem(boost::system::error_code error) const {
    if (error == http::error::header_limit)
        return "the response's headers are larger than " + std::to_string(max_header_bytes_) +
               " bytes";
    if (error == http::error::body_limit)
        return "the response is larger than " + std::to_string(max_body_bytes_) + " bytes";
    if (error == http::error::end_of_stream || error == http::error::partial_message ||
        error == asio::error::connection_reset || error == asio::error::broken_pipe ||
        error == asio::error::eof || error == asio::ssl::error::stream_truncated)
        return "connection closed";
    if (error.category() == http::make_error_code(http::error::end_of_stream).category())
        return "bad response: " + error.message();
    return error.message();
}

}  // namespace moonwire::transport
