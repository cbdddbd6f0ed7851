#include "core/transport/listener.hpp"

#include <boost/asio/ip/v6_only.hpp>
#include <chrono>
#include <utility>

#include "core/base/log.hpp"
#include "core/transport/http_connection.hpp"

namespace moonwire::transport {
namespace {

namespace asio = boost::asio;

constexpr int kBacklog = 4096;
constexpr std::size_t kRefusedAtOnce = 64;  // connections over the limit that still get their 503
constexpr auto kAcceptPause = std::chrono::milliseconds(100);

}  // namespace

Listener::Listener(const std::vector<std::unique_ptr<Worker>>& workers)
    : workers_(workers),
      home_(*workers.front()),
      acceptor_(home_.reactor.context()),
      open_connections_(std::make_shared<std::atomic<std::size_t>>(0)) {}

Result<std::uint16_t> Listener::open() {
    const TransportOptions& options = home_.options;
    boost::system::error_code error;
    Tcp::resolver resolver(home_.reactor.context());
    const auto found =
        resolver.resolve(options.host, std::to_string(options.port), Tcp::resolver::passive, error);
    if (!error && found.empty()) error = asio::error::host_not_found;
    if (!error) {
        const Tcp::endpoint endpoint = *found.begin();
        acceptor_.open(endpoint.protocol(), error);
        if (!error) acceptor_.set_option(asio::socket_base::reuse_address(true), error);
        // "::" serves IPv4 too.
        if (!error && endpoint.address().is_v6() && endpoint.address().is_unspecified())
            acceptor_.set_option(asio::ip::v6_only(false), error);
        if (!error) acceptor_.bind(endpoint, error);
        if (!error) acceptor_.listen(kBacklog, error);
    }
    Tcp::endpoint bound;
    if (!error) bound = acceptor_.local_endpoint(error);
    if (error) {
        close();
        return Error{"cannot listen on " + options.host + ":" + std::to_string(options.port) +
                     ": " + error.message()};
    }
    return bound.port();
}

void Listener::close() {
    boost::system::error_code ignored;
    acceptor_.close(ignored);
}

void Listener::accept() {
    if (!acceptor_.is_open()) return;
    Worker& worker = *workers_[next_];
    acceptor_.async_accept(
        worker.reactor.context().get_executor(), peer_,
        [self = shared_from_this(), &worker](boost::system::error_code error,
                                             asio::basic_stream_socket<Tcp, Executor> socket) {
            self->on_accepted(error, Socket(std::move(socket)), worker);
        });
}

void Listener::on_accepted(boost::system::error_code error, Socket socket, Worker& worker) {
    if (error == asio::error::operation_aborted) return;
    if (error == asio::error::connection_aborted) {
        accept();
        return;
    }
    if (error) {
        // Out of descriptors or memory: connections wait in the backlog meanwhile.
        if (!std::exchange(troubled_, true))
            log::error("cannot accept connections, pausing", {{"reason", error.message()}});
        home_.reactor.after(kAcceptPause, [self = shared_from_this()] { self->accept(); });
        return;
    }
    troubled_ = false;
    next_ = (next_ + 1) % workers_.size();

    const std::size_t open = open_connections_->load();
    const bool refused = open >= home_.options.max_connections;
    if (refused) home_.stats.refused.add();
    if (!refused || open < home_.options.max_connections + kRefusedAtOnce) {
        boost::system::error_code ignored;
        socket.set_option(asio::ip::tcp::no_delay(true), ignored);
        Link link{std::move(socket), peer_.address().to_string(), peer_.port(),
                  ConnectionSlot(open_connections_)};
        if (peer_.address().is_v6() && peer_.address().to_v6().is_v4_mapped())
            link.address =
                asio::ip::make_address_v4(asio::ip::v4_mapped, peer_.address().to_v6()).to_string();
        worker.reactor.post([&worker, refused, link = std::make_unique<Link>(std::move(link))] {
            HttpConnection::start(worker, std::move(*link), refused);
        });
    }
    accept();
}

}  // namespace moonwire::transport
