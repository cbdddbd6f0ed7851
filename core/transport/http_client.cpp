#include "core/transport/http_client.hpp"

#include <algorithm>
#include <unordered_map>
#include <utility>

#include "core/transport/client_connection.hpp"
#include "core/transport/client_tls.hpp"
#include "core/transport/name_lookup.hpp"
#include "core/transport/tcp_connector.hpp"

namespace moonwire::transport {
namespace {

using ConnectionPtr = std::shared_ptr<ClientConnection>;
using TlsPtr = std::shared_ptr<boost::asio::ssl::context>;
using Done = Function<void(Result<OutgoingResponse>)>;

/// Beast's fields hold no longer ones.
constexpr std::size_t kMaxHeaderBytes = 16 * 1024;

/// Whom a connection leads to: only requests for the same may use it again.
std::string key_of(const HttpUrl& url) {
    return (url.secure ? "https " : "http ") + url.host + " " + std::to_string(url.port);
}

/// RFC 9110 section 9.2.2.
bool may_repeat(std::string_view method) { return method != "POST" && method != "PATCH"; }

}  // namespace

/// What the requests of one reactor share: the connections kept for later, and the requests
/// themselves, which it keeps alive. Shared with what is under way on the reactor.
class HttpClient::Pool : public std::enable_shared_from_this<HttpClient::Pool> {
public:
    Pool(const HttpClientOptions& options, Reactor& reactor)
        : options(options), reactor(static_cast<AsioReactor&>(reactor)), names(reactor) {}

    void start(OutgoingRequest request, Done done);
    void finish(Call& call, Result<OutgoingResponse> result);
    /// A kept connection that still seems alive; null if there is none.
    ConnectionPtr take(const std::string& key);
    void keep(const std::string& key, ConnectionPtr connection);
    void close();

    const HttpClientOptions options;
    AsioReactor& reactor;
    NameLookup names;
    TlsPtr tls;  // set before the first request

private:
    struct Idle {
        std::string key;
        ConnectionPtr connection;
        TimerId expiry;
    };
    void refuse(Done done, std::string why);
    void drop(std::vector<Idle>::iterator idle);

    std::vector<Idle> idle_;  // the longest kept first
    std::unordered_map<Call*, std::shared_ptr<Call>> calls_;
    bool closed_ = false;
};

/// One request on its way. Its pool owns it until it is finished.
class HttpClient::Call : public std::enable_shared_from_this<HttpClient::Call> {
public:
    Call(Pool& pool, OutgoingRequest request, Done done)
        : request_(std::move(request)), done_(std::move(done)), pool_(pool) {}

    void start() {
        timeout_ = pool_.reactor.after(request_.timeout, [weak = weak_from_this()] {
            if (const auto self = weak.lock()) self->finish(Error{"timeout"});
        });
        connection_ = pool_.take(key_of(request_.url));
        if (!connection_) return connect();
        reused_ = true;
        exchange();
    }
    /// Once finished, what is still under way finds nothing to do: callbacks hold weak pointers.
    void finish(Result<OutgoingResponse> result) {
        const auto self = shared_from_this();
        pool_.reactor.cancel(timeout_);
        if (connector_) connector_->cancel();
        if (connection_) connection_->close();
        pool_.finish(*this, std::move(result));
    }
    Done take_done() { return std::move(done_); }

private:
    void connect() {
        reused_ = false;
        connector_ = std::make_shared<TcpConnector>(
            pool_.reactor, [weak = weak_from_this()](boost::system::error_code error, auto socket) {
                const auto self = weak.lock();
                if (!self) return;
                if (!socket) return self->finish(Error{connect_problem(error)});
                self->open(*std::move(socket));
            });
        connector_->start(pool_.names, request_.url.host, request_.url.port);
    }
    void open(TcpConnector::Socket socket) {
        if (request_.url.secure && !pool_.tls) return finish(Error{"TLS: no authorities"});
        connection_ = std::make_shared<ClientConnection>(std::move(socket),
                                                         request_.url.secure ? pool_.tls : nullptr);
        connection_->open(request_.url.host, [weak = weak_from_this()](Result<void> opened) {
            const auto self = weak.lock();
            if (!self) return;
            if (!opened) return self->finish(opened.error());
            self->exchange();
        });
    }
    void exchange() {
        connection_->exchange(request_, pool_.options,
                              [weak = weak_from_this()](ClientConnection::Answer answer) {
                                  if (const auto self = weak.lock())
                                      self->on_answer(std::move(answer));
                              });
    }
    void on_answer(ClientConnection::Answer answer) {
        if (!answer.response && !answer.begun && reused_ && may_repeat(request_.method)) {
            connection_->close();
            return connect();
        }
        if (answer.response && connection_->reusable())
            pool_.keep(key_of(request_.url), std::exchange(connection_, nullptr));
        finish(std::move(answer.response));
    }

    const OutgoingRequest request_;
    Done done_;
    Pool& pool_;
    TimerId timeout_;
    std::shared_ptr<TcpConnector> connector_;
    ConnectionPtr connection_;
    bool reused_ = false;
};

void HttpClient::Pool::refuse(Done done, std::string why) {
    reactor.post([done = std::move(done), why = std::move(why)]() mutable {
        done(Error{std::move(why)});
    });
}

void HttpClient::Pool::start(OutgoingRequest request, Done done) {
    if (closed_) return refuse(std::move(done), "the broker is stopping");
    if (calls_.size() >= options.max_requests) return refuse(std::move(done), "busy");
    for (const auto& [name, value] : request.headers)
        if (name.size() + value.size() > kMaxHeaderBytes)
            return refuse(std::move(done), "the header '" + name.substr(0, 100) + "' is too long");
    auto call = std::make_shared<Call>(*this, std::move(request), std::move(done));
    calls_[call.get()] = call;
    call->start();
}

void HttpClient::Pool::finish(Call& call, Result<OutgoingResponse> result) {
    const auto self = shared_from_this();
    Done done = call.take_done();
    calls_.erase(&call);
    done(std::move(result));
}

ConnectionPtr HttpClient::Pool::take(const std::string& key) {
    // The last kept is the likeliest to live.
    for (auto i = idle_.size(); i-- > 0;) {
        if (idle_[i].key != key) continue;
        ConnectionPtr found = idle_[i].connection;
        const bool stale = found->is_stale();
        reactor.cancel(idle_[i].expiry);
        if (stale) found->close();
        idle_.erase(idle_.begin() + static_cast<std::ptrdiff_t>(i));
        if (!stale) return found;
    }
    return nullptr;
}

void HttpClient::Pool::drop(std::vector<Idle>::iterator idle) {
    reactor.cancel(idle->expiry);
    idle->connection->close();
    idle_.erase(idle);
}

void HttpClient::Pool::keep(const std::string& key, ConnectionPtr connection) {
    const auto of_host = [&](const Idle& each) { return each.key == key; };
    if (closed_ || options.max_idle == 0 || options.max_idle_per_host == 0)
        return connection->close();
    if (const auto count = std::count_if(idle_.begin(), idle_.end(), of_host);
        static_cast<std::size_t>(count) >= options.max_idle_per_host)
        drop(std::find_if(idle_.begin(), idle_.end(), of_host));
    if (idle_.size() >= options.max_idle) drop(idle_.begin());
    ClientConnection* const which = connection.get();
    const TimerId expiry = reactor.after(options.idle_timeout, [weak = weak_from_this(), which] {
        const auto self = weak.lock();
        if (!self) return;
        const auto found =
            std::find_if(self->idle_.begin(), self->idle_.end(),
                         [&](const Idle& each) { return each.connection.get() == which; });
        if (found != self->idle_.end()) self->drop(found);
    });
    idle_.push_back({key, std::move(connection), expiry});
}

void HttpClient::Pool::close() {
    closed_ = true;
    while (!idle_.empty()) drop(idle_.begin());
    while (!calls_.empty()) {
        const auto call = calls_.begin()->second;
        call->finish(Error{"the broker is stopping"});
    }
}

HttpClient::HttpClient(HttpClientOptions options, const std::vector<Reactor*>& reactors)
    : options_(std::move(options)) {
    for (Reactor* reactor : reactors) pools_.push_back(std::make_shared<Pool>(options_, *reactor));
}

HttpClient::~HttpClient() { stop(); }

Result<void> HttpClient::open() {
    auto tls = make_client_tls(options_.ca_file);
    if (!tls) return tls.error();
    if (!options_.verify) (*tls)->set_verify_mode(boost::asio::ssl::verify_none);
    for (const auto& pool : pools_) pool->tls = *tls;
    return {};
}

void HttpClient::request(OutgoingRequest request, Reactor& home, Done done) {
    pools_[home.index()]->start(std::move(request), std::move(done));
}

void HttpClient::stop() {
    for (const auto& pool : pools_) {
        pool->names.stop();
        pool->reactor.post([pool] { pool->close(); });
    }
}

}  // namespace moonwire::transport
