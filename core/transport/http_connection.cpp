#include "core/transport/http_connection.hpp"

#include <boost/asio/buffer.hpp>
#include <utility>

#include "core/base/incidents.hpp"
#include "core/transport/http_exchange.hpp"
#include "core/transport/websocket_connection.hpp"

namespace moonwire::transport {
namespace {

namespace http = boost::beast::http;

/// What a peer may send ahead while its request is being served; then it waits in the kernel.
constexpr std::size_t kPipelinedBytes = 64 * 1024;

}  // namespace

struct HttpConnection::Parcel {
    Link link;
    HttpRequest request;
    std::string input;
    bool head_request;
    bool keep_alive;
    bool http_1_0;
    bool input_ended;
};

HttpConnection::HttpConnection(Worker& worker, Link link)
    : Connection(worker, std::move(link), SendQueue::kUnlimited) {}

void HttpConnection::start(Worker& worker, Link link, bool refused) {
    if (worker.closing) return;
    auto connection = std::make_shared<HttpConnection>(worker, std::move(link));
    connection->enter();
    connection->refused_ = refused;
    worker.stats.connections.add();
    connection->set_deadline(worker.options.header_timeout);
    connection->wait_readable();
}

void HttpConnection::end_now() {
    const auto hold = shared_from_this();
    abandon();
}

void HttpConnection::on_readable() {
    const bool ahead = phase_ == Phase::pending || phase_ == Phase::writing;
    const std::size_t room = ahead ? kPipelinedBytes - input_.size() : worker_.scratch.size();
    const Received received = receive(room);
    if (received.ended) {
        if (received.reset) abandon();
        else on_ended();
        return;
    }
    input_.append(received.bytes.data(), received.bytes.size());
    if (!ahead) parse();
    else if (input_.size() < kPipelinedBytes) wait_readable();
}

void HttpConnection::on_ended() {
    input_ended_ = true;
    // A peer that only ended its direction still gets what is on the way, and prompt answers to
    // what it sent ahead; one whose request is left waiting has gone.
    if (phase_ != Phase::writing) abandon();
}

void HttpConnection::wait_for_input() {
    if (input_ended_) linger();
    else wait_readable();
}

void HttpConnection::parse() {
    if (phase_ == Phase::idle) {
        // RFC 9112 section 2.2: empty lines before a request are ignored.
        const auto begin = input_.find_first_not_of("\r\n");
        input_.erase(0, begin);
        if (!input_.empty()) {
            phase_ = Phase::head;
            parser_ = std::make_unique<RequestParser>();
            parser_->eager(true);
            parser_->header_limit(static_cast<std::uint32_t>(worker_.options.max_header_bytes));
            parser_->body_limit(worker_.options.max_body_bytes);
            set_deadline(worker_.options.header_timeout);
        }
    }
    if (parser_ && !input_.empty()) {
        boost::system::error_code error;
        const std::size_t used = parser_->put(boost::asio::buffer(input_), error);
        input_.erase(0, used);
        if (error && error != http::error::need_more) {
            reject(status_of(error));
            return;
        }
        if (parser_->is_done()) {
            on_parsed();
            return;
        }
        on_more_needed();
        if (phase_ == Phase::writing) return;
    }
    if (input_.empty()) input_ = std::string();
    wait_for_input();
}

void HttpConnection::on_more_needed() {
    // A line that never ends: the parser bounds the header, but not what surrounds chunks.
    if (input_.size() > worker_.options.max_header_bytes) {
        reject(431);
        return;
    }
    if (phase_ == Phase::head && parser_->is_header_done()) {
        phase_ = Phase::body;
        set_deadline(worker_.options.body_timeout);
        const auto& message = parser_->get();
        if (message.version() >= 11 &&
            boost::beast::iequals(message[http::field::expect], "100-continue"))
            queue_.push(SharedBytes::copy("HTTP/1.1 100 Continue\r\n\r\n"), Flush::turn);
    }
}

void HttpConnection::on_parsed() {
    auto message = parser_->release();
    parser_.reset();
    clear_deadline();
    if (input_.empty()) input_ = std::string();
    head_request_ = message.method() == http::verb::head;
    http_1_0_ = message.version() < 11;
    keep_alive_ = message.keep_alive();
    phase_ = Phase::pending;
    worker_.stats.http_requests.add();
    if (!http_1_0_ && message.count(http::field::host) != 1) {  // RFC 9112 section 3.2
        reject(400);
        return;
    }
    if (refused_) {
        answer({503, {{"Retry-After", "5"}}, {}, true});
        return;
    }

    HttpRequest request = to_request(std::move(message));
    request.remote_address = link_.address;
    request.remote_port = link_.port;
    if (link_.tls) {
        request.secure = true;
        request.client_certificate = link_.tls->client_subject();
    }
    worker_.options.trusted_proxies.apply(request);
    // First of all the exchange: whatever happens from here on, the request is answered.
    auto exchange = std::make_shared<Exchange>(self<HttpConnection>(), std::move(request));
    Reactor& target = worker_.handler->reactor_for(exchange->request(), worker_.reactor);
    if (&target == &worker_.reactor) deliver(std::move(exchange));
    else move_to(*worker_.all[target.index()], exchange->take_request());
}

void HttpConnection::move_to(Worker& target, HttpRequest request) {
    queue_.write_now();  // a 100-continue of this very turn
    if (!queue_.empty()) {
        abandon();
        return;
    }
    phase_ = Phase::closed;
    Parcel parcel{leave(),       std::move(request), std::move(input_), head_request_,
                  keep_alive_,   http_1_0_,          input_ended_};
    target.reactor.post([&target, parcel = std::make_unique<Parcel>(std::move(parcel))] {
        arrive(target, std::move(*parcel));
    });
}

void HttpConnection::arrive(Worker& worker, Parcel parcel) {
    if (worker.closing) {
        worker.stats.connections_closed.add();
        return;
    }
    auto connection = std::make_shared<HttpConnection>(worker, std::move(parcel.link));
    connection->enter();
    connection->input_ = std::move(parcel.input);
    connection->head_request_ = parcel.head_request;
    connection->keep_alive_ = parcel.keep_alive;
    connection->http_1_0_ = parcel.http_1_0;
    connection->phase_ = Phase::pending;
    connection->input_ended_ = parcel.input_ended;
    connection->deliver(std::make_shared<Exchange>(connection, std::move(parcel.request)));
}

void HttpConnection::deliver(std::shared_ptr<Exchange> exchange) {
    exchange_ = exchange;
    // Before the handler runs: reading on is how the peer's departure is noticed.
    if (!input_ended_ && input_.size() < kPipelinedBytes) wait_readable();
    worker_.handler->on_request(std::move(exchange));
    if (input_ended_ && phase_ == Phase::pending) abandon();
}

void HttpConnection::answer(const HttpResponse& response) {
    if (phase_ != Phase::pending || !open()) return;
    exchange_.reset();
    phase_ = Phase::writing;
    if (response.close) keep_alive_ = false;
    queue_.push(to_wire(response, {worker_.http_date(), head_request_, keep_alive_, http_1_0_}),
                Flush::turn);
    queue_.notify_when_sent();
}

void HttpConnection::reject(unsigned status) {
    if (status == 413) report_too_large();
    parser_.reset();
    input_ = std::string();
    clear_deadline();
    head_request_ = false;
    phase_ = Phase::pending;
    answer({status, {}, {}, true});
}

void HttpConnection::report_too_large() {
    HttpRequest request = to_request(parser_->release());
    request.remote_address = link_.address;
    worker_.options.trusted_proxies.apply(request);
    report({.kind = IncidentKind::max_payload_bytes,
            .address = request.remote_address,
            .detail = "POST"});
}

void HttpConnection::on_queue_sent() {
    if (phase_ != Phase::writing) return;
    if (!keep_alive_) {
        input_ = std::string();
        linger();
        return;
    }
    phase_ = Phase::idle;
    set_deadline(worker_.options.idle_timeout);
    parse();
}

void HttpConnection::on_queue_failed(SendQueue::Failure) { abandon(); }

void HttpConnection::on_deadline() {
    // Nobody waits for an answer between requests, nor who never asked.
    if (phase_ == Phase::head || phase_ == Phase::body) reject(408);
    else abandon();
}

void HttpConnection::upgrade(const HttpRequest& request, std::shared_ptr<WebSocketHandler> handler,
                             const Headers& headers) {
    phase_ = Phase::closed;
    std::string input = std::move(input_);
    const auto hold = shared_from_this();
    WebSocketConnection::start(worker_, leave(), request, std::move(handler), headers,
                               std::move(input));
}

void HttpConnection::drop() {
    phase_ = Phase::closed;
    close_socket();
}

void HttpConnection::abandon() {
    phase_ = Phase::closed;
    const auto exchange = exchange_.lock();
    close_socket();
    if (exchange) exchange->abort();
}

}  // namespace moonwire::transport
