#pragma once

#include <array>
#include <cstddef>

#include "core/base/clock.hpp"
#include "core/base/function.hpp"
#include "core/base/timer_queue.hpp"

namespace moonwire {

/// One event loop on one thread: what the layers above the transport know of threads.
///
/// A connection, a session and a namespace each live on one reactor and are touched only there.
/// Work for another reactor is posted. Only `index`, `is_current`, `post` and `run` may be called
/// from other threads.
class Reactor {
public:
    explicit Reactor(unsigned index) : index_(index) {}
    virtual ~Reactor() = default;
    Reactor(const Reactor&) = delete;
    Reactor& operator=(const Reactor&) = delete;

    unsigned index() const noexcept { return index_; }
    virtual bool is_current() const noexcept = 0;

    /// Queues work, in order for each posting thread. Never runs it before returning; another
    /// reactor's may wait until what the posting one is at has ended, see LateWakes.
    virtual void post(Task task) = 0;

    /// Runs the task at once on the reactor's own thread, else posts it.
    void run(Task task) {
        if (is_current()) task();
        else post(std::move(task));
    }

    /// Runs the task after everything that is ready in this turn of the loop: where writes gather.
    virtual void at_turn_end(Task task) = 0;

    virtual TimePoint now() const = 0;
    /// Seconds since the epoch of wall-clock time: what scripts see. Simulated in tests.
    virtual double wall_now() const { return wall_seconds(); }
    virtual TimerId after(Duration delay, Task task) = 0;
    virtual bool cancel(TimerId id) = 0;

private:
    friend class LateWakes;
    /// For what was posted without waking it. Any thread.
    virtual void wake() {}

    const unsigned index_;
};

/// While one exists, the reactors that its thread posts to are woken when it ends, once each: for a
/// row of posts, each of which would find the reactor asleep again. A reactor has one while it runs
/// what is ready. Short: what is posted meanwhile may wait as long. The reactors outlive it.
class LateWakes {
public:
    LateWakes();
    ~LateWakes();
    LateWakes(const LateWakes&) = delete;
    LateWakes& operator=(const LateWakes&) = delete;

    /// For reactors, within `post`: true if the thread has one, which wakes this one later.
    static bool take(Reactor& reactor);

private:
    LateWakes* const outer_;
    std::array<Reactor*, 16> sleepers_;  // who finds no room is woken at once
    std::size_t count_ = 0;
};

}  // namespace moonwire
