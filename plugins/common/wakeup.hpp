#pragma once

#include <poll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <cstdint>
#include <system_error>

namespace moonwire::plugins {

/// Lets one thread wait for a socket, or for others to wake it.
class Wakeup {
public:
    Wakeup() : descriptor_(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) {
        if (descriptor_ < 0) throw std::system_error(errno, std::generic_category(), "eventfd");
    }
    ~Wakeup() { ::close(descriptor_); }
    Wakeup(const Wakeup&) = delete;
    Wakeup& operator=(const Wakeup&) = delete;

    /// Any thread.
    void wake() const {
        const std::uint64_t one = 1;
        [[maybe_unused]] const auto done = ::write(descriptor_, &one, sizeof one);
    }
    /// Until woken, the socket (none: -1) is readable, or the time is over; whether it is readable.
    bool wait(int socket, std::chrono::milliseconds limit) const {
        pollfd waiting[] = {{descriptor_, POLLIN, 0}, {socket, POLLIN, 0}};
        const int ready = ::poll(waiting, 2, static_cast<int>(limit.count()));
        std::uint64_t count;
        [[maybe_unused]] const auto done = ::read(descriptor_, &count, sizeof count);
        return ready > 0 && waiting[1].revents != 0;
    }

private:
    const int descriptor_;
};

}  // namespace moonwire::plugins
