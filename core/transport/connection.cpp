#include "core/transport/connection.hpp"

#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <utility>

namespace moonwire::transport {

Connection::Connection(Worker& worker, Link link, std::size_t send_limit_bytes)
    : worker_(worker), link_(std::move(link)), queue_(worker, link_, *this, send_limit_bytes) {
    readable_ = link_.tls && link_.tls->ready();  // what another connection of it left
}

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
    if (readable_)
        worker_.reactor.post([self = shared_from_this()] {
            if (self->reading_) self->on_readable_or_over();
        });
    else enter_poller();
}

void Connection::enter_poller() {
    if (in_poller_) return;
    in_poller_ = worker_.reactor.poller().add(link_.socket.get(), *this);
    if (!in_poller_)
        worker_.reactor.post([self = shared_from_this()] {
            if (self->open_) self->end_now();
        });
}

void Connection::watch_writable() {
    enter_poller();
    if (watches_writable_ || !in_poller_) return;
    watches_writable_ = true;
    worker_.reactor.poller().watch_writable(link_.socket.get(), *this);
}

void Connection::leave_poller() {
    if (!in_poller_) return;
    worker_.reactor.poller().remove(link_.socket.get(), *this);
    in_poller_ = watches_writable_ = false;
}

void Connection::on_ready(std::uint32_t events) {
    const auto hold = shared_from_this();
    // Ends and errors are for reads and writes to find.
    if (events & (EPOLLRDHUP | EPOLLHUP | EPOLLERR)) {
        over_ = true;
        events |= EPOLLIN | EPOLLOUT;
    }
    if (events & queue_.waits_for()) queue_.resume();
    if (events & (read_needs_write_ ? EPOLLOUT : EPOLLIN)) readable_ = true;
    if (reading_ && readable_) on_readable_or_over();
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
    if (read_needs_write_) watch_writable();
    readable_ = read.status == TlsChannel::Status::done && (over_ || link_.tls->ready());
    worker_.stats.bytes_in.add(read.bytes);
    if (read.status == TlsChannel::Status::ended) return {{}, true, false};
    if (read.status == TlsChannel::Status::failed) return {{}, true, true};
    return {{scratch.data(), read.bytes}};
}

Connection::Received Connection::receive_plain(std::size_t limit) {
    auto& scratch = worker_.scratch;
    const std::size_t room = std::min(limit, scratch.size());
    for (;;) {
        const ssize_t got = ::recv(link_.socket.get(), scratch.data(), room, MSG_DONTWAIT);
        if (got < 0 && errno == EINTR) continue;
        const std::size_t bytes = got > 0 ? static_cast<std::size_t>(got) : 0;
        // What a short read left comes with a new edge, but for an end that was told already.
        readable_ = bytes > 0 && (over_ || bytes == room);
        worker_.stats.bytes_in.add(bytes);
        if (bytes > 0) return {{scratch.data(), bytes}};
        if (got == 0) return {{}, true, false};
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
