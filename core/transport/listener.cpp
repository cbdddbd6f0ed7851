#include "core/transport/listener.hpp"

#include <boost/asio/ip/tcp.hpp>
#include <chrono>
#include <cstring>
#include <utility>

#include "core/base/incidents.hpp"
#include "core/base/ip_address.hpp"
#include "core/base/log.hpp"
#include "core/transport/http_connection.hpp"

namespace moonwire::transport {
namespace {

namespace asio = boost::asio;

constexpr std::size_t kRefusedAtOnce = 64;  // connections over the limit that still get their 503
constexpr auto kAcceptPause = std::chrono::milliseconds(100);

/// Names the peer; nobody has an address of their own behind a Unix-domain socket.
void set_address(Link& link, const asio::generic::stream_protocol::endpoint& peer) {
    const int family = peer.protocol().family();
    if (family != AF_INET && family != AF_INET6) {
        link.address = "unix:";
        return;
    }
    asio::ip::tcp::endpoint endpoint;
    std::memcpy(endpoint.data(), peer.data(), peer.size());
    auto address = endpoint.address();
    if (address.is_v6() && address.to_v6().is_v4_mapped())
        address = asio::ip::make_address_v4(asio::ip::v4_mapped, address.to_v6());
    link.address = address.to_string();
    link.port = endpoint.port();
}

}  // namespace

Listener::Listener(const std::vector<std::unique_ptr<Worker>>& workers, std::size_t serving,
                   ListeningSocket socket,
                   std::shared_ptr<std::atomic<std::size_t>> open_connections,
                   std::shared_ptr<SharedCounts> addresses)
    : workers_(workers),
      serving_(serving),
      home_(*workers.front()),
      listening_(std::move(socket)),
      open_connections_(std::move(open_connections)),
      addresses_(std::move(addresses)) {}

void Listener::accept() {
    if (!listening_.acceptor().is_open()) return;
    Worker& worker = *workers_[next_];
    listening_.acceptor().async_accept(
        worker.reactor.context().get_executor(), peer_,
        [self = shared_from_this(), &worker](boost::system::error_code error, Socket socket) {
            self->on_accepted(error, std::move(socket), worker);
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
    next_ = (next_ + 1) % serving_;

    const std::size_t open = open_connections_->load();
    const bool refused = open >= home_.options.max_connections;
    Link link{std::move(socket), {}, 0, {}, {}, nullptr};
    set_address(link, peer_);
    if (refused) {
        home_.stats.refused.add();
        report({.kind = IncidentKind::connections, .address = link.address});
    }
    if ((!refused || open < home_.options.max_connections + kRefusedAtOnce) && find_place(link)) {
        link.slot = ConnectionSlot(open_connections_);
        boost::system::error_code ignored;
        link.socket.set_option(asio::ip::tcp::no_delay(true), ignored);
        if (tls_) {
            link.socket.native_non_blocking(true, ignored);
            link.tls = tls_->accept(link.socket.native_handle());
        }
        worker.reactor.post([&worker, refused, link = std::make_unique<Link>(std::move(link))] {
            HttpConnection::start(worker, std::move(*link), refused);
        });
    }
    accept();
}

bool Listener::find_place(Link& link) const {
    if (home_.options.max_connections_per_ip == 0) return true;
    const auto address = IpAddress::parse(link.address);
    if (!address || home_.options.trusted_proxies.trusts(link.address)) return true;
    link.place = addresses_->take(address->key(home_.options.ipv6_prefix));
    if (link.place) return true;
    home_.stats.refused.add();
    report({.kind = IncidentKind::connections_per_ip, .address = link.address, .detail = "tcp"});
    return false;
}

}  // namespace moonwire::transport
