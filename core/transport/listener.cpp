#include "core/transport/listener.hpp"

#include <netinet/in.h>
#include <netinet/tcp.h>

#include <boost/asio/ip/tcp.hpp>
#include <cerrno>
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
constexpr int kAcceptedAtOnce = 64;
constexpr auto kAcceptPause = std::chrono::milliseconds(100);

/// Names the peer; nobody has an address of their own behind a Unix-domain socket.
void set_address(Link& link, const sockaddr_storage& peer) {
    if (peer.ss_family != AF_INET && peer.ss_family != AF_INET6) {
        link.address = "unix:";
        return;
    }
    asio::ip::tcp::endpoint endpoint;
    std::memcpy(endpoint.data(), &peer,
                peer.ss_family == AF_INET ? sizeof(sockaddr_in) : sizeof(sockaddr_in6));
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

void Listener::wait() {
    if (!listening_.acceptor().is_open()) return;
    listening_.acceptor().async_wait(
        ListeningSocket::Acceptor::wait_read,
        [self = shared_from_this()](boost::system::error_code error) {
            if (!error) self->accept();
        });
}

void Listener::accept() {
    for (int i = 0; i < kAcceptedAtOnce && listening_.acceptor().is_open(); ++i) {
        sockaddr_storage peer{};
        socklen_t size = sizeof peer;
        Descriptor socket(::accept4(listening_.acceptor().native_handle(),
                                    reinterpret_cast<sockaddr*>(&peer), &size,
                                    SOCK_NONBLOCK | SOCK_CLOEXEC));
        if (socket.get() >= 0) {
            troubled_ = false;
            on_accepted(std::move(socket), peer);
        } else if (errno == EAGAIN || errno == EWOULDBLOCK) {
            break;
        } else if (errno != ECONNABORTED && errno != EINTR) {
            return pause(errno);
        }
    }
    wait();
}

void Listener::pause(int error) {
    // Out of descriptors or memory: connections wait in the backlog meanwhile.
    if (!std::exchange(troubled_, true))
        log::error("cannot accept connections, pausing", {{"reason", std::strerror(error)}});
    home_.reactor.after(kAcceptPause, [self = shared_from_this()] { self->wait(); });
}

void Listener::on_accepted(Descriptor socket, const sockaddr_storage& peer) {
    Worker& worker = *workers_[next_];
    next_ = (next_ + 1) % serving_;
    const std::size_t open = open_connections_->load();
    const bool refused = open >= home_.options.max_connections;
    Link link{std::move(socket), {}, 0, {}, {}, nullptr};
    set_address(link, peer);
    if (refused) {
        home_.stats.refused.add();
        report({.kind = IncidentKind::connections, .address = link.address});
    }
    if (refused && open >= home_.options.max_connections + kRefusedAtOnce) return;
    if (!find_place(link)) return;
    link.slot = ConnectionSlot(open_connections_);
    const int one = 1;
    ::setsockopt(link.socket.get(), IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    if (tls_) link.tls = tls_->accept(link.socket.get());
    worker.reactor.post([&worker, refused, link = std::make_unique<Link>(std::move(link))] {
        HttpConnection::start(worker, std::move(*link), refused);
    });
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
