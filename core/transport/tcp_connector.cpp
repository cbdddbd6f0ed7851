#include "core/transport/tcp_connector.hpp"

#include <algorithm>
#include <boost/asio/error.hpp>
#include <utility>

namespace moonwire::transport {
namespace {

namespace asio = boost::asio;
using tcp = asio::ip::tcp;

constexpr std::chrono::milliseconds kHeadStart{250};  // RFC 8305 section 8

/// IPv6 and IPv4 by turns, in the order that the system prefers.
std::vector<tcp::endpoint> by_turns(const std::vector<tcp::endpoint>& found, std::size_t limit) {
    std::vector<tcp::endpoint> first, second, mixed;
    for (const tcp::endpoint& each : found)
        (each.protocol() == found.front().protocol() ? first : second).push_back(each);
    for (std::size_t i = 0; i < std::max(first.size(), second.size()); ++i) {
        if (i < first.size()) mixed.push_back(first[i]);
        if (i < second.size()) mixed.push_back(second[i]);
    }
    if (mixed.size() > limit) mixed.resize(limit);
    return mixed;
}

}  // namespace

std::string connect_problem(boost::system::error_code error) {
    if (error == asio::error::connection_refused) return "connection refused";
    if (error == asio::error::host_not_found || error == asio::error::no_data)
        return "host not found";
    if (error == asio::error::host_not_found_try_again) return "the name server does not answer";
    if (error == asio::error::host_unreachable || error == asio::error::network_unreachable)
        return "host unreachable";
    return error.message();
}

TcpConnector::TcpConnector(AsioReactor& reactor, Done done)
    : reactor_(reactor), done_(std::move(done)) {}

void TcpConnector::start(NameLookup& names, const std::string& host, std::uint16_t port) {
    boost::system::error_code no_address;
    const auto address = asio::ip::make_address(host, no_address);
    if (!no_address) return try_all({{address, port}});
    names.find(host, port, weak_from_this(),
               [weak = weak_from_this()](boost::system::error_code error,
                                         std::vector<Endpoint> found) {
                   const auto self = weak.lock();
                   if (!self || !self->done_) return;
                   if (error) return self->finish(error, std::nullopt);
                   self->try_all(std::move(found));
               });
}

void TcpConnector::cancel() {
    done_ = nullptr;
    reactor_.cancel(next_try_);
    boost::system::error_code ignored;
    for (Socket& socket : attempts_) socket.close(ignored);
}

void TcpConnector::try_all(std::vector<Endpoint> found) {
    if (found.empty()) return finish(asio::error::host_not_found, std::nullopt);
    endpoints_ = by_turns(found, kMaxAddresses);
    attempts_.reserve(endpoints_.size());
    try_next();
}

void TcpConnector::try_next() {
    reactor_.cancel(next_try_);
    const std::size_t attempt = attempts_.size();
    attempts_.emplace_back(reactor_.context());
    attempts_[attempt].async_connect(
        endpoints_[attempt], [self = shared_from_this(), attempt](boost::system::error_code error) {
            self->on_connected(attempt, error);
        });
    if (attempts_.size() == endpoints_.size()) return;
    next_try_ = reactor_.after(kHeadStart, [weak = weak_from_this()] {
        if (const auto self = weak.lock(); self && self->done_) self->try_next();
    });
}

void TcpConnector::on_connected(std::size_t attempt, boost::system::error_code error) {
    if (!done_) return;
    if (!error) return finish({}, std::move(attempts_[attempt]));
    ++failed_;
    if (attempts_.size() < endpoints_.size()) return try_next();
    if (failed_ == endpoints_.size()) finish(error, std::nullopt);
}

void TcpConnector::finish(boost::system::error_code error, std::optional<Socket> socket) {
    Done done = std::move(done_);
    cancel();
    done(error, std::move(socket));
}

}  // namespace moonwire::transport
