#pragma once

#include <sys/epoll.h>
#include <unistd.h>

#include <array>
#include <chrono>
#include <cstdint>
#include <ctime>
#include <system_error>

namespace bench {

using Clock = std::chrono::steady_clock;
using TimePoint = Clock::time_point;
using Seconds = std::chrono::duration<double>;

/// Something with a descriptor.
class Pollable {
public:
    virtual void on_ready(std::uint32_t events) = 0;

protected:
    ~Pollable() = default;
};

/// One epoll, one thread. A Pollable stays alive while its descriptor is open.
class Loop {
public:
    Loop() : fd_(::epoll_create1(EPOLL_CLOEXEC)) {
        if (fd_ < 0) throw std::system_error(errno, std::generic_category(), "epoll_create1");
    }
    ~Loop() { ::close(fd_); }
    Loop(const Loop&) = delete;
    Loop& operator=(const Loop&) = delete;

    void add(int fd, std::uint32_t events, Pollable& pollable) {
        control(EPOLL_CTL_ADD, fd, events, pollable);
    }
    void change(int fd, std::uint32_t events, Pollable& pollable) {
        control(EPOLL_CTL_MOD, fd, events, pollable);
    }
    /// Hands out what is ready, waiting for it until `due` at most.
    void run_until(TimePoint due) {
        const auto wait = due - Clock::now();
        timespec timeout{};
        if (wait > wait.zero()) {
            const auto seconds = std::chrono::floor<std::chrono::seconds>(wait);
            timeout = {seconds.count(), std::chrono::nanoseconds(wait - seconds).count()};
        }
        std::array<epoll_event, 512> events;
        const int count = ::epoll_pwait2(fd_, events.data(), events.size(), &timeout, nullptr);
        for (int i = 0; i < count; ++i)
            static_cast<Pollable*>(events[i].data.ptr)->on_ready(events[i].events);
    }

private:
    void control(int operation, int fd, std::uint32_t events, Pollable& pollable) {
        epoll_event event{};
        event.events = events;
        event.data.ptr = &pollable;
        if (::epoll_ctl(fd_, operation, fd, &event) < 0)
            throw std::system_error(errno, std::generic_category(), "epoll_ctl");
    }

    int fd_;
};

}  // namespace bench
