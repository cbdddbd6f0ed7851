#include "core/transport/send_queue.hpp"

#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/uio.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>

namespace moonwire::transport {
namespace {

constexpr std::size_t kVectors = 256;  // buffers in one write
constexpr int kSendFlags = MSG_NOSIGNAL | MSG_DONTWAIT;
constexpr std::size_t kKeptSlots = 16;  // capacity that an idle queue may keep

}  // namespace

SendQueue::~SendQueue() { close(); }

void SendQueue::push(SharedBytes bytes, Flush flush) {
    if (sealed_ || failing_ || bytes.empty()) return;
    // A burst within one turn is no slow consumer: give the kernel its chance first.
    if (queued_bytes_ + bytes.size() > limit_bytes_ && !blocked()) write();
    if (failing_) return;
    if (queued_bytes_ + bytes.size() > limit_bytes_) {
        fail(Failure::overflow);
        return;
    }
    queued_bytes_ += bytes.size();
    worker_.stats.queued_bytes.add(bytes.size());
    if (age_) age_->queued(bytes.size(), worker_.reactor.now());
    slots_.push_back(std::move(bytes));
    if (flush == Flush::now && !blocked()) {
        write();
        alone_until_ = last_write_ + worker_.options.coalesce_window;
    }
    if (blocked() || scheduled_ || slots_.empty()) return;
    const TimePoint now = worker_.reactor.now();
    const TimePoint due = last_write_ + worker_.options.coalesce_window;
    if ((flush != Flush::window && alone_until_ <= now) || due <= now) {
        if (answering_) answered_ = true;
        else schedule();
    } else if (!timer_) {
        set_timer(due);
    }
}

void SendQueue::end_answers() {
    answering_ = false;
    if (std::exchange(answered_, false)) write_now();
}

void SendQueue::notify_when_sent() {
    notify_ = true;
    if (!blocked()) schedule();
}

void SendQueue::schedule() {
    if (scheduled_) return;
    scheduled_ = true;
    worker_.flushes.add(*this);
}

void SendQueue::flush() {
    scheduled_ = false;
    if (!failing_ && !blocked()) write();
    if (failing_) {
        const auto hold = owner_.hold();
        owner_.on_send_failed(failure_);
        close();
    } else if (notify_ && empty()) {
        const auto hold = owner_.hold();
        notify_ = false;
        owner_.on_sent();
    }
}

void SendQueue::write() {
    cancel_timer();
    if (link_.tls) {
        while (head_ < slots_.size() && write_tls()) {
        }
    } else {
        while (head_ < slots_.size() && write_plain()) {
        }
    }
}

ssize_t SendQueue::write_one(std::size_t& offered) {
    const SharedBytes& only = slots_[head_];
    offered = only.size() - head_offset_;
    return ::send(link_.socket.get(), only.data() + head_offset_, offered, kSendFlags);
}

ssize_t SendQueue::write_many(std::size_t& offered) {
    std::array<iovec, kVectors> vectors;
    std::size_t count = 0;
    for (std::size_t i = head_; i < slots_.size() && count < kVectors; ++i, ++count) {
        const std::size_t skip = i == head_ ? head_offset_ : 0;
        vectors[count].iov_base = const_cast<char*>(slots_[i].data() + skip);
        vectors[count].iov_len = slots_[i].size() - skip;
        offered += vectors[count].iov_len;
    }
    msghdr message{};
    message.msg_iov = vectors.data();
    message.msg_iovlen = count;
    return ::sendmsg(link_.socket.get(), &message, kSendFlags);
}

bool SendQueue::write_plain() {
    std::size_t offered = 0;
    // Most writes have one, and the kernel takes that a little faster without a vector.
    const ssize_t sent = slots_.size() - head_ == 1 ? write_one(offered) : write_many(offered);
    if (sent < 0 && errno == EINTR) return true;
    worker_.stats.writes.add();
    if (sent < 0 && errno != EAGAIN && errno != EWOULDBLOCK) {
        fail(Failure::error);
        return false;
    }
    const std::size_t taken = sent > 0 ? static_cast<std::size_t>(sent) : 0;
    wrote(taken);
    if (taken == offered) return true;
    wait_for(EPOLLOUT);
    return false;
}

bool SendQueue::write_tls() {
    // Gathered the same way each time: a record that had to wait is offered again as it was,
    // perhaps with more behind it, which is what the channel asks for.
    std::array<char, TlsChannel::kRecordBytes> record;
    const char* from = slots_[head_].data() + head_offset_;
    std::size_t size = slots_[head_].size() - head_offset_;
    if (size < record.size() && head_ + 1 < slots_.size()) {
        std::memcpy(record.data(), from, size);
        for (std::size_t i = head_ + 1; i < slots_.size() && size < record.size(); ++i) {
            const std::size_t part = std::min(slots_[i].size(), record.size() - size);
            std::memcpy(record.data() + size, slots_[i].data(), part);
            size += part;
        }
        from = record.data();
    }
    const auto written = link_.tls->write(from, size);
    worker_.stats.writes.add();
    wrote(written.bytes);
    switch (written.status) {
        case TlsChannel::Status::done: return true;
        case TlsChannel::Status::wait_read: wait_for(EPOLLIN); return false;
        case TlsChannel::Status::wait_write: wait_for(EPOLLOUT); return false;
        default: fail(Failure::error); return false;
    }
}

void SendQueue::wrote(std::size_t bytes) {
    worker_.stats.bytes_out.add(bytes);
    consume(bytes);
    last_write_ = worker_.reactor.now();
}

void SendQueue::consume(std::size_t bytes) {
    queued_bytes_ -= bytes;
    worker_.stats.queued_bytes.subtract(bytes);
    if (age_) age_->sent(bytes);
    if (age_ && age_->empty()) age_.reset();
    while (bytes > 0) {
        const std::size_t left = slots_[head_].size() - head_offset_;
        if (bytes < left) {
            head_offset_ += bytes;
            break;
        }
        bytes -= left;
        head_offset_ = 0;
        slots_[head_++] = SharedBytes();
    }
    if (head_ == slots_.size()) {
        slots_.clear();
        if (slots_.capacity() > kKeptSlots) slots_.shrink_to_fit();
        head_ = 0;
    } else if (head_ > 64 && head_ > slots_.size() / 2) {
        // A peer that reads slowly but steadily never empties the queue: drop the written part.
        slots_.erase(slots_.begin(), slots_.begin() + static_cast<std::ptrdiff_t>(head_));
        head_ = 0;
    }
}

void SendQueue::wait_for(std::uint32_t events) {
    waits_for_ = events;
    const TimePoint now = worker_.reactor.now();
    const Duration age_limit = worker_.options.send_queue_age;
    TimePoint deadline = now + worker_.options.write_timeout;
    if (age_limit > Duration::zero()) {
        if (!age_) {
            age_ = std::make_unique<BacklogAge>(age_limit);
            age_->queued(queued_bytes_, now);
        }
        deadline = std::min(deadline, age_->oldest() + age_limit);
    }
    set_timer(deadline);
    owner_.on_blocked();
}

void SendQueue::resume() {
    waits_for_ = 0;
    cancel_timer();
    schedule();
}

void SendQueue::fail(Failure failure) {
    failing_ = true;
    failure_ = failure;
    schedule();
}

bool SendQueue::is_stale() const {
    return age_ && worker_.reactor.now() - age_->oldest() >= worker_.options.send_queue_age;
}

void SendQueue::set_timer(TimePoint when) {
    timer_ = worker_.reactor.after(when - worker_.reactor.now(), [this] {
        timer_ = {};
        if (blocked()) fail(is_stale() ? Failure::stale : Failure::timeout);
        else schedule();
    });
}

void SendQueue::cancel_timer() {
    if (timer_) worker_.reactor.cancel(std::exchange(timer_, {}));
}

void SendQueue::close() {
    cancel_timer();
    if (scheduled_) worker_.flushes.remove(*this);
    scheduled_ = false;
    waits_for_ = 0;
    notify_ = false;
    sealed_ = true;
    answering_ = answered_ = false;
    failing_ = false;
    slots_.clear();
    slots_.shrink_to_fit();
    age_.reset();
    worker_.stats.queued_bytes.subtract(queued_bytes_);
    head_ = head_offset_ = queued_bytes_ = 0;
}

}  // namespace moonwire::transport
