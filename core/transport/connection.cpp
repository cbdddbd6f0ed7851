#include "core/transport/connection.hpp"

#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <utility>

namespace moonwire::transport {

Connection::Connection(Worker& worker, Link link, std::size_t send_limit_bytes)
    : worker_(worker), link_(std::move(link)), queue_(worker, link_, *this, send_limit_bytes) {}

Connection::~Connection() = default;

void Connection::enter() {
    open_ = true;
    worker_.connections.add(shared_from_this());
}

Link Connection::leave() {
    clear_deadline();
    queue_.close();
    leave_poller();
    open_ = reading_ = false;
    Link link = std::move(link_);
    worker_.connections.remove(*this);
    return link;
}

void Connection::wait_readable() {
    if (reading_ || !open_) return;
    reading_ = true;
    if (link_.tls && link_.tls->ready() && !lingering_)
        worker_.reactor.post([self = shared_from_this()] {
            if (self->reading_) self->on_readable_or_over();  // more may have come, and been read
        });
    else watch();
}

std::uint32_t Connection::wanted() const {
    std::uint32_t events = queue_.waits_for();
    if (reading_) events |= read_needs_write_ ? EPOLLOUT : EPOLLIN;
    return events;
}

void Connection::watch() {
    if ((wanted() & ~watched_) != 0) set_watched(wanted() | watched_);
}

void Connection::set_watched(std::uint32_t events) {
    Poller& poller = worker_.reactor.poller();
    watched_ = events;
    if (in_poller_) return poller.change(link_.socket.get(), events, *this);
    in_poller_ = poller.add(link_.socket.get(), events, *this);
    if (!in_poller_) worker_.reactor.post([self = shared_from_this()] {
        if (self->open_) self->end_now();
    });
}

void Connection::leave_poller() {
    if (!in_poller_) return;
    worker_.reactor.poller().remove(link_.socket.get(), *this);
    in_poller_ = false;
    watched_ = 0;
}

void Connection::on_ready(std::uint32_t events) {
    const auto hold = shared_from_this();
    // An error or the end of the connection is for reads and writes to find.
    const bool over = events & (EPOLLHUP | EPOLLERR);
    if (over) events |= EPOLLIN | EPOLLOUT;
    if (const std::uint32_t unwanted = events & watched_ & ~wanted()) set_watched(watched_ & ~unwanted);
    // Told of as long as it is in the poller; who wants to read or write later gets back in.
    if (over && wanted() == 0) return leave_poller();
    if (events & queue_.waits_for()) queue_.resume();
    if (reading_ && (events & (read_needs_write_ ? EPOLLOUT : EPOLLIN))) on_readable_or_over();
}

void Connection::on_readable_or_over() {
    reading_ = false;
    if (!open_) return;
    if (lingering_) discard();
    else on_readable();
}

Connection::Received Connection::receive(std::size_t limit) {
    return link_.tls ? receive_tls(limit) : receive_plain(limit);
}

Connection::Received Connection::receive_tls(std::size_t limit) {
    auto& scratch = worker_.scratch;
    const auto read = link_.tls->read(scratch.data(), std::min(limit, scratch.size()));
    read_needs_write_ = read.status == TlsChannel::Status::wait_write;
    worker_.stats.bytes_in.add(read.bytes);
    if (read.status == TlsChannel::Status::ended) return {{}, true, false};
    if (read.status == TlsChannel::Status::failed) return {{}, true, true};
    return {{scratch.data(), read.bytes}};
}

Connection::Received Connection::receive_plain(std::size_t limit) {
    auto& scratch = worker_.scratch;
    for (;;) {
        const ssize_t got = ::recv(link_.socket.get(), scratch.data(),
                                   std::min(limit, scratch.size()), MSG_DONTWAIT);
        if (got > 0) {
            worker_.stats.bytes_in.add(static_cast<std::uint64_t>(got));
            return {{scratch.data(), static_cast<std::size_t>(got)}};
        }
        if (got == 0) return {{}, true, false};
        if (errno == EINTR) continue;
        if (errno == EAGAIN || errno == EWOULDBLOCK) return {};
        return {{}, true, true};
    }
}

void Connection::set_deadline(Duration from_now) {
    deadline_ = worker_.reactor.now() + from_now;
    // A later deadline lets the armed timer fire and arm itself anew: cheap for every request.
    if (!timer_ || deadline_ < armed_for_) arm_deadline();
}

void Connection::clear_deadline() {
    deadline_ = TimePoint::max();
    if (timer_) worker_.reactor.cancel(std::exchange(timer_, {}));
}

void Connection::arm_deadline() {
    if (timer_) worker_.reactor.cancel(timer_);
    armed_for_ = deadline_;
    timer_ = worker_.reactor.after(deadline_ - worker_.reactor.now(), [this] {
        timer_ = {};
        if (worker_.reactor.now() < deadline_) {
            arm_deadline();
            return;
        }
        const auto hold = shared_from_this();
        if (lingering_) close_socket();
        else on_deadline();
    });
}

void Connection::close_socket() {
    if (!open_) return;
    open_ = false;
    clear_deadline();
    queue_.close();
    leave_poller();
    reading_ = false;
    link_.socket.close();
    link_.slot = {};
    link_.place = {};
    worker_.stats.connections_closed.add();
    worker_.connections.remove(*this);
}

void Connection::linger() {
    if (lingering_ || !open_) return;
    lingering_ = true;
    set_deadline(worker_.options.close_timeout);
    if (queue_.empty()) end_sending();
    else queue_.notify_when_sent();
}

void Connection::end_sending() {
    queue_.seal();
    if (link_.tls) link_.tls->end_sending();
    read_needs_write_ = false;
    ::shutdown(link_.socket.get(), SHUT_WR);
    wait_readable();
}

void Connection::discard() {
    const Received received = receive_plain(worker_.scratch.size());  // nobody wants to know what
    if (received.ended) close_socket();
    else wait_readable();
}

void Connection::on_sent() {
    if (!open_) return;
    if (lingering_) end_sending();
    else on_queue_sent();
}

void Connection::on_send_failed(SendQueue::Failure failure) {
    if (!open_) return;
    if (lingering_) close_socket();
    else on_queue_failed(failure);
}

}  // namespace moonwire::transport
