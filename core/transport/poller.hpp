#pragma once

#include <sys/epoll.h>

#include <array>
#include <boost/asio/io_context.hpp>
#include <boost/asio/posix/basic_stream_descriptor.hpp>
#include <cstdint>

namespace moonwire::transport {

/// What has a descriptor in a Poller.
class Pollable {
public:
    /// Bits of EPOLLIN, EPOLLOUT, EPOLLRDHUP, EPOLLHUP, EPOLLERR. Told when they begin to hold or
    /// when more comes, not as long as they do (EPOLLET): what was told and not used up is for this
    /// to keep.
    virtual void on_ready(std::uint32_t events) = 0;

protected:
    ~Pollable() = default;
};

/// Tells which connections of one reactor are ready: an epoll of its own, in which each stays for
/// its life.
///
/// Asio would take a system call a wait, and another for a read that finds nothing; with this a
/// busy turn of the loop takes one for all connections, and the kernel looks at each once a turn.
/// Asio waits for this epoll as a whole when there is nothing to do. One reactor's thread; owned by
/// its AsioReactor.
class Poller {
public:
    /// Throws std::system_error when the process has no descriptor left.
    explicit Poller(boost::asio::io_context& context);

    /// Tells of all but EPOLLOUT. False when the kernel has no room for it. `pollable` stays until
    /// `remove`.
    bool add(int fd, Pollable& pollable);
    /// From now on of EPOLLOUT, too; tells what holds already.
    void watch_writable(int fd, Pollable& pollable);
    /// Before the descriptor is closed or goes elsewhere.
    void remove(int fd, Pollable& pollable);

    /// Tells those that are ready now (a bounded number); returns whether there were any.
    bool dispatch();
    /// Makes Asio's loop return when one becomes ready.
    void wake_on_ready();
    /// False once it has made the loop return.
    bool waiting() const noexcept { return waiting_; }

private:
    boost::asio::posix::basic_stream_descriptor<boost::asio::io_context::executor_type> epoll_;
    std::array<epoll_event, 256> ready_;
    int ready_count_ = 0;  // while they are told
    bool waiting_ = false;
};

}  // namespace moonwire::transport
