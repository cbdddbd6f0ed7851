#include "core/transport/listening_socket.hpp"

#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/ip/v6_only.hpp>
#include <boost/asio/local/stream_protocol.hpp>
#include <cerrno>
#include <cstring>
#include <utility>

namespace moonwire::transport {
namespace {

namespace asio = boost::asio;
using Tcp = asio::ip::tcp;
using Local = asio::local::stream_protocol;

constexpr int kBacklog = 4096;

boost::system::error_code last_error() { return {errno, boost::system::system_category()}; }

Error cannot_listen(const std::string& where, const std::string& why) {
    return Error{"cannot listen on " + where + ": " + why};
}

/// Removes a socket file that nobody listens on; says why the path can't be had otherwise.
Result<void> make_way(const std::string& path) {
    struct stat file {};
    if (::lstat(path.c_str(), &file) != 0) {
        if (errno == ENOENT) return {};
        return Error{last_error().message()};
    }
    if (!S_ISSOCK(file.st_mode)) return Error{"there is a file that is not a socket"};
    asio::io_context context;
    Local::socket probe(context);
    boost::system::error_code error;
    probe.open(Local(), error);
    // A full backlog is a sign of life too.
    if (!error) probe.non_blocking(true, error);
    if (!error) probe.connect(Local::endpoint(path), error);
    if (error == asio::error::connection_refused) {
        if (::unlink(path.c_str()) == 0 || errno == ENOENT) return {};
        return Error{last_error().message()};
    }
    if (!error || error == asio::error::would_block || error == asio::error::try_again)
        return Error{"another process listens there"};
    return Error{error.message()};
}

}  // namespace

ListeningSocket::ListeningSocket(ListeningSocket&& other) noexcept
    : acceptor_(std::move(other.acceptor_)),
      port_(other.port_),
      path_(std::exchange(other.path_, {})),
      inode_(other.inode_) {}

Result<ListeningSocket> ListeningSocket::tcp(asio::io_context& context, const std::string& host,
                                             std::uint16_t port) {
    ListeningSocket listening(context);
    Acceptor& acceptor = listening.acceptor_;
    boost::system::error_code error;
    Tcp::resolver resolver(context);
    const auto found = resolver.resolve(host, std::to_string(port), Tcp::resolver::passive, error);
    if (!error && found.empty()) error = asio::error::host_not_found;
    if (!error) {
        const Tcp::endpoint endpoint = *found.begin();
        acceptor.open(endpoint.protocol(), error);
        if (!error) acceptor.set_option(asio::socket_base::reuse_address(true), error);
        if (!error && endpoint.address().is_v6() && endpoint.address().is_unspecified())
            acceptor.set_option(asio::ip::v6_only(false), error);
        if (!error) acceptor.bind(endpoint, error);
        if (!error) acceptor.listen(kBacklog, error);
    }
    Acceptor::endpoint_type bound;
    if (!error) bound = acceptor.local_endpoint(error);
    if (error) return cannot_listen(host + ":" + std::to_string(port), error.message());
    Tcp::endpoint named;
    std::memcpy(named.data(), bound.data(), bound.size());
    listening.port_ = named.port();
    return listening;
}

Result<ListeningSocket> ListeningSocket::local(asio::io_context& context, const std::string& path,
                                               unsigned mode) {
    const std::string where = "unix:" + path;
    if (path.size() >= sizeof(sockaddr_un::sun_path))
        return cannot_listen(where, "the path is longer than " +
                                        std::to_string(sizeof(sockaddr_un::sun_path) - 1) +
                                        " bytes");
    if (auto way = make_way(path); !way) return cannot_listen(where, way.error().message);
    ListeningSocket listening(context);
    Acceptor& acceptor = listening.acceptor_;
    boost::system::error_code error;
    acceptor.open(Local(), error);
    if (!error) acceptor.bind(Local::endpoint(path), error);
    if (!error) {
        struct stat file {};
        listening.path_ = path;
        if (::stat(path.c_str(), &file) == 0) listening.inode_ = file.st_ino;
        // Before listen: nobody gets in with the permissions that the umask gave.
        if (mode != 0 && ::chmod(path.c_str(), mode) != 0) error = last_error();
    }
    if (!error) acceptor.listen(kBacklog, error);
    if (error) return cannot_listen(where, error.message());
    return listening;
}

void ListeningSocket::close() {
    boost::system::error_code ignored;
    acceptor_.close(ignored);
    const std::string path = std::exchange(path_, {});
    struct stat file {};
    if (!path.empty() && ::lstat(path.c_str(), &file) == 0 && S_ISSOCK(file.st_mode) &&
        file.st_ino == inode_)
        ::unlink(path.c_str());
}

}  // namespace moonwire::transport
