#pragma once

#include <boost/asio/basic_socket_acceptor.hpp>
#include <cstdint>
#include <string>

#include "core/transport/worker.hpp"

namespace moonwire::transport {

/// A socket that listens, and the file that a Unix-domain one has: the file goes when the socket
/// is closed, unless somebody else has put theirs in its place. Not thread-safe.
class ListeningSocket {
public:
    using Acceptor =
        boost::asio::basic_socket_acceptor<boost::asio::generic::stream_protocol, Executor>;

    /// `port` 0 lets the kernel pick one. "::" serves IPv4 too.
    static Result<ListeningSocket> tcp(boost::asio::io_context& context, const std::string& host,
                                       std::uint16_t port);
    /// Takes the place of a socket that nobody listens on any more; a live one or another kind of
    /// file is an error. `mode` 0 leaves the permissions to the umask.
    static Result<ListeningSocket> local(boost::asio::io_context& context, const std::string& path,
                                         unsigned mode);

    ListeningSocket(ListeningSocket&& other) noexcept;
    ~ListeningSocket() { close(); }

    Acceptor& acceptor() noexcept { return acceptor_; }
    /// The port it got; 0 for a Unix-domain one.
    std::uint16_t port() const noexcept { return port_; }
    void close();

private:
    explicit ListeningSocket(boost::asio::io_context& context) : acceptor_(context) {}

    Acceptor acceptor_;
    std::uint16_t port_ = 0;
    std::string path_;         // of a Unix-domain one, while its file is there
    std::uint64_t inode_ = 0;  // that file
};

}  // namespace moonwire::transport
