#include "core/transport/connection.hpp"

#include <sys/socket.h>

#include <algorithm>
#include <boost/asio/post.hpp>
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
    boost::system::error_code ignored;
    link_.socket.cancel(ignored);
    open_ = false;
    Link link = std::move(link_);
    worker_.connections.remove(*this);
    return link;
}

void Connection::wait_readable() {
    if (reading_ || !open_) return;
    reading_ = true;
    if (link_.tls && link_.tls->ready() && !lingering_)
        boost::asio::post(link_.socket.get_executor(),
                          [self = shared_from_this()] { self->on_wait_over(); });
    else wait_for(read_needs_write_ ? Socket::wait_write : Socket::wait_read);
}

void Connection::wait_for(Socket::wait_type what) {
    link_.socket.async_wait(what, [self = shared_from_this()](boost::system::error_code error) {
        if (error) self->reading_ = false;
        else self->on_wait_over();
    });
}

void Connection::on_wait_over() {
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
        const ssize_t got = ::recv(link_.socket.native_handle(), scratch.data(),
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
    boost::system::error_code ignored;
    link_.socket.close(ignored);
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
    boost::system::error_code ignored;
    link_.socket.shutdown(Socket::shutdown_send, ignored);
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
