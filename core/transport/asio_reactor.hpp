#pragma once

#include <atomic>
#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/steady_timer.hpp>
#include <mutex>
#include <thread>
#include <vector>

#include "core/base/reactor.hpp"
#include "core/base/timer_queue.hpp"
#include "core/transport/poller.hpp"

namespace moonwire::transport {

/// The Reactor over an `io_context` of its own, on its own thread.
///
/// One turn of the loop: what the kernel has ready (bounded), posted tasks, due timers, turn-end
/// tasks. Connections are in the Poller; Asio has all else and is where the loop sleeps. The clock
/// is read once a turn. All timers share one Asio timer. Posts from other threads wake the loop
/// only when its inbox was empty, and its own to other reactors wake those when the batch that it
/// runs ends, so bursts are batched. An exception that escapes a task is logged; the loop goes on.
/// Owned by TransportServer.
class AsioReactor final : public Reactor {
public:
    explicit AsioReactor(unsigned index);
    /// Stops; tasks never run are destroyed.
    ~AsioReactor() override;

    boost::asio::io_context& context() noexcept { return context_; }
    /// For descriptors of connections; on the reactor's thread.
    Poller& poller() noexcept { return poller_; }

    void start();
    /// Lets what is ready run out (bounded), ends the thread and joins it. Not from the reactor.
    void stop();
    bool running() const noexcept { return thread_.joinable(); }
    /// Tasks that wait for the next turn. Any thread.
    std::size_t posted() const {
        std::lock_guard lock(inbox_mutex_);
        return inbox_.size();
    }

    bool is_current() const noexcept override;
    void post(Task task) override;
    void at_turn_end(Task task) override { turn_end_.push_back(std::move(task)); }
    TimePoint now() const override;
    TimerId after(Duration delay, Task task) override {
        return timers_.add(now() + delay, std::move(task));
    }
    bool cancel(TimerId id) override { return timers_.cancel(id); }

private:
    void wake() override;
    void loop();
    /// Returns whether anything ran.
    bool turn(bool may_block);
    bool dispatch();
    /// Runs what Asio has ready, waiting for it if `block`.
    bool run_asio(bool block);
    bool inbox_empty();
    bool run_batch(std::vector<Task>& tasks);
    void arm_timer();

    std::thread thread_;
    std::atomic<bool> stopping_{false};
    mutable TimePoint now_{};
    mutable bool now_known_ = false;

    mutable std::mutex inbox_mutex_;
    std::vector<Task> inbox_;
    bool woken_ = false;       // since the inbox was last taken
    std::vector<Task> batch_;  // keeps its capacity between turns
    std::vector<Task> turn_end_;
    TimerQueue timers_;
    unsigned busy_turns_ = 0;  // since Asio was last asked

    // Last: destroying the context destroys handlers that may still reach for what is above.
    boost::asio::io_context context_{1};
    boost::asio::executor_work_guard<boost::asio::io_context::executor_type> work_;
    boost::asio::steady_timer timer_;
    Poller poller_;
    TimePoint armed_for_ = TimePoint::max();
};

}  // namespace moonwire::transport
