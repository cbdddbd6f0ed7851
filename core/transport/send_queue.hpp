#pragma once

#include <sys/types.h>

#include <boost/container/small_vector.hpp>
#include <boost/system/error_code.hpp>
#include <cstddef>
#include <cstdint>
#include <memory>

#include "core/base/bytes.hpp"
#include "core/base/clock.hpp"
#include "core/base/timer_queue.hpp"
#include "core/transport/backlog_age.hpp"
#include "core/transport/websocket.hpp"
#include "core/transport/worker.hpp"

namespace moonwire::transport {

/// The one way out of a connection: a bounded queue of shared bytes, where all its writers meet at
/// frame boundaries. One vectored write a loop turn takes everything queued.
///
/// What is pushed with Flush::window waits until `coalesce_window` has passed since the last
/// write; anything pushed with Flush::turn takes it along. On TLS small messages share records. A
/// peer that takes nothing for `write_timeout`, lets more than the limit pile up, or leaves a byte
/// untaken for longer than `send_queue_age`, fails the queue. Owned by a Connection, used on its
/// reactor. The owner is never called from within push.
class SendQueue {
public:
    enum class Failure : std::uint8_t { error, timeout, overflow, stale };

    class Owner {
    public:
        /// All that was queued has been written; once for each `notify_when_sent`.
        virtual void on_sent() = 0;
        /// Once; nothing more is written. What is queued is dropped after this call.
        virtual void on_send_failed(Failure failure) = 0;
        /// The descriptor takes no more: `waits_for` says what to wait for, then `resume` goes on.
        virtual void on_blocked() = 0;
        /// Keeps the owner, and with it the queue, alive.
        virtual std::shared_ptr<void> hold() = 0;

    protected:
        ~Owner() = default;
    };

    static constexpr std::size_t kUnlimited = static_cast<std::size_t>(-1);

    SendQueue(Worker& worker, Link& link, Owner& owner, std::size_t limit_bytes)
        : worker_(worker), link_(link), owner_(owner), limit_bytes_(limit_bytes) {}
    ~SendQueue();
    SendQueue(const SendQueue&) = delete;
    SendQueue& operator=(const SendQueue&) = delete;

    void push(SharedBytes bytes, Flush flush);
    /// Whatever is pushed from now on is dropped: the last frame of the stream is queued.
    void seal() noexcept { sealed_ = true; }
    void notify_when_sent();
    /// Writes what the kernel takes, without waiting for the end of the turn.
    void write_now() {
        if (!blocked() && !failing_) write();
    }
    /// What would be written at the end of the turn and is pushed between these two is written by
    /// the second: the answers to what was just read, while the processor has the socket at hand.
    void begin_answers() noexcept { answering_ = true; }
    void end_answers();
    /// For FlushList, at the end of the turn: writes, and tells the owner what came of it.
    void flush();
    /// Drops what is queued; nothing is written and the owner not called any more.
    void close();

    /// EPOLLOUT or, on TLS, perhaps EPOLLIN; 0 unless blocked.
    std::uint32_t waits_for() const noexcept { return waits_for_; }
    void resume();

    bool empty() const noexcept { return queued_bytes_ == 0; }
    bool blocked() const noexcept { return waits_for_ != 0; }
    std::size_t queued_bytes() const noexcept { return queued_bytes_; }

private:
    void schedule();
    void write();
    /// Both return false when the peer must take something first, or the connection has failed.
    bool write_plain();
    bool write_tls();
    /// What the kernel took of what they `offered` it, or -1.
    ssize_t write_one(std::size_t& offered);
    ssize_t write_many(std::size_t& offered);
    void wrote(std::size_t bytes);
    void consume(std::size_t bytes);
    void wait_for(std::uint32_t events);
    void fail(Failure failure);
    bool is_stale() const;
    void set_timer(TimePoint when);
    void cancel_timer();

    Worker& worker_;
    Link& link_;
    Owner& owner_;
    const std::size_t limit_bytes_;
    // Most turns queue a frame or two; only a burst spills to the heap, and idle gives it back.
    boost::container::small_vector<SharedBytes, 2> slots_;
    std::size_t head_ = 0;         // the first slot not yet written
    std::size_t head_offset_ = 0;  // bytes of it that are
    std::size_t queued_bytes_ = 0;
    std::unique_ptr<BacklogAge> age_;  // since it was blocked; none while there is no limit
    TimePoint last_write_{};
    TimePoint alone_until_{};  // what follows a Flush::now waits so long
    TimerId timer_;            // the window's end or, while blocked, the write timeout
    std::uint32_t waits_for_ = 0;
    bool scheduled_ = false;
    bool answering_ = false;
    bool answered_ = false;
    bool sealed_ = false;
    bool notify_ = false;
    bool failing_ = false;  // reported to the owner at the end of the turn
    Failure failure_ = Failure::error;
};

}  // namespace moonwire::transport
