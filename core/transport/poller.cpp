#include "core/transport/poller.hpp"

#include <cerrno>
#include <system_error>

namespace moonwire::transport {
namespace {

constexpr std::uint32_t kReadable = EPOLLIN | EPOLLRDHUP | EPOLLET;

int make_epoll() {
    const int fd = ::epoll_create1(EPOLL_CLOEXEC);
    if (fd < 0) throw std::system_error(errno, std::generic_category(), "epoll_create1");
    return fd;
}

bool control(int epoll, int operation, int fd, std::uint32_t events, Pollable* pollable) {
    epoll_event event{};
    event.events = events;
    event.data.ptr = pollable;
    return ::epoll_ctl(epoll, operation, fd, &event) == 0;
}

}  // namespace

Poller::Poller(boost::asio::io_context& context) : epoll_(context, make_epoll()) {}

bool Poller::add(int fd, Pollable& pollable) {
    return control(epoll_.native_handle(), EPOLL_CTL_ADD, fd, kReadable, &pollable);
}

void Poller::watch_writable(int fd, Pollable& pollable) {
    control(epoll_.native_handle(), EPOLL_CTL_MOD, fd, kReadable | EPOLLOUT, &pollable);
}

void Poller::remove(int fd, Pollable& pollable) {
    control(epoll_.native_handle(), EPOLL_CTL_DEL, fd, 0, nullptr);
    for (int i = 0; i < ready_count_; ++i) {
        auto& event = ready_[static_cast<std::size_t>(i)];
        if (event.data.ptr == &pollable) event.data.ptr = nullptr;
    }
}

bool Poller::dispatch() {
    ready_count_ = ::epoll_wait(epoll_.native_handle(), ready_.data(), ready_.size(), 0);
    const bool any = ready_count_ > 0;
    for (int i = 0; i < ready_count_; ++i) {
        const auto& event = ready_[static_cast<std::size_t>(i)];
        // One that was told before may have removed this one.
        if (event.data.ptr) static_cast<Pollable*>(event.data.ptr)->on_ready(event.events);
    }
    ready_count_ = 0;
    return any;
}

void Poller::wake_on_ready() {
    if (waiting_) return;
    waiting_ = true;
    epoll_.async_wait(decltype(epoll_)::wait_read,
                      [this](boost::system::error_code) { waiting_ = false; });
}

}  // namespace moonwire::transport
