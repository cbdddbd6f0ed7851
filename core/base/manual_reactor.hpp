#pragma once

#include <algorithm>
#include <optional>
#include <vector>

#include "core/base/reactor.hpp"

namespace moonwire {

/// A reactor with a simulated clock, turned by hand on the calling thread: what tests of the upper
/// layers run on, with no socket, thread or waiting.
class ManualReactor final : public Reactor {
public:
    explicit ManualReactor(unsigned index = 0) : Reactor(index) {}

    bool is_current() const noexcept override { return true; }
    void post(Task task) override { posted_.push_back(std::move(task)); }
    void at_turn_end(Task task) override { turn_end_.push_back(std::move(task)); }
    TimePoint now() const override { return now_; }
    double wall_now() const override {
        return wall_start_ + std::chrono::duration<double>(now_ - TimePoint{}).count();
    }
    /// What the wall clock showed when this clock began; 2023-11-14T22:13:20Z unless set.
    void set_wall_start(double seconds) { wall_start_ = seconds; }
    TimerId after(Duration delay, Task task) override {
        return timers_.add(now_ + delay, std::move(task));
    }
    bool cancel(TimerId id) override { return timers_.cancel(id); }

    /// Runs what is posted now, or if nothing is, the turn-end work. False if there was neither.
    bool turn();
    /// Runs posted and turn-end work until none is left; the clock stands still.
    void settle() {
        while (turn()) {
        }
    }
    /// Moves the clock on, firing every timer on its way in order.
    void advance(Duration by);
    /// Fires the timers that are due now, not those that they arm.
    void run_due() { timers_.run_due(now_); }
    /// Moves the clock on to this moment, if it is later; fires nothing.
    void skip_to(TimePoint moment) { now_ = std::max(now_, moment); }
    std::optional<TimePoint> next_timer() const { return timers_.next(); }
    std::size_t pending_timers() const noexcept { return timers_.size(); }

private:
    std::vector<Task> posted_;
    std::vector<Task> turn_end_;
    TimerQueue timers_;
    TimePoint now_{};
    double wall_start_ = 1'700'000'000;
};

}  // namespace moonwire
