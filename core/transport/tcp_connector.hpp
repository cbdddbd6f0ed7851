#pragma once

#include <boost/asio/ip/tcp.hpp>
#include <boost/system/error_code.hpp>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "core/base/function.hpp"
#include "core/transport/asio_reactor.hpp"
#include "core/transport/name_lookup.hpp"

namespace moonwire::transport {

/// Why there is no connection; the commonest in words of our own, which scripts may compare.
std::string connect_problem(boost::system::error_code error);

/// Opens one TCP connection to a host by name or address.
///
/// Addresses of both families are tried by turns, each a quarter of a second after the one before
/// or when that failed, and the first to answer wins (RFC 8305); at most kMaxAddresses. Has no
/// timeout of its own: the owner cancels. One reactor; `done` is called at most once, from the
/// loop.
class TcpConnector : public std::enable_shared_from_this<TcpConnector> {
public:
    using Socket = boost::asio::ip::tcp::socket;
    /// The socket, or why not: the last address's error.
    using Done = Function<void(boost::system::error_code, std::optional<Socket>)>;

    static constexpr std::size_t kMaxAddresses = 8;

    TcpConnector(AsioReactor& reactor, Done done);

    void start(NameLookup& names, const std::string& host, std::uint16_t port);
    /// `done` is not called any more.
    void cancel();

private:
    using Endpoint = boost::asio::ip::tcp::endpoint;

    void try_all(std::vector<Endpoint> found);
    void try_next();
    void on_connected(std::size_t attempt, boost::system::error_code error);
    void finish(boost::system::error_code error, std::optional<Socket> socket);

    AsioReactor& reactor_;
    Done done_;  // empty once it is over
    std::vector<Endpoint> endpoints_;
    std::vector<Socket> attempts_;  // of the first endpoints; never more than reserved
    std::size_t failed_ = 0;
    TimerId next_try_;
};

}  // namespace moonwire::transport
