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
    /// Bits of EPOLLIN, EPOLLOUT, EPOLLHUP, EPOLLERR. Told again as long as they hold, whether they
    /// are wanted or not: what is not wanted is to be taken out of `watch`.
    virtual void on_ready(std::uint32_t events) = 0;

protected:
    ~Pollable() = default;
};

/// Tells which connections of one reactor are ready: an epoll of its own, in which each stays for
/// its life.
///
/// Asio would take a system call a wait, and another for a read that finds nothing; with this a busy
/// turn of the loop takes one for all connections. Asio waits for this epoll as a whole when there is
/// nothing to do. One reactor's thread; owned by its AsioReactor.
class Poller {
public:
    /// Throws std::system_error when the process has no descriptor left.
    explicit Poller(boost::asio::io_context& context);

    /// False when the kernel has no room for it. `pollable` stays until `remove`.
    bool add(int fd, std::uint32_t events, Pollable& pollable);
    void change(int fd, std::uint32_t events, Pollable& pollable);
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
