#pragma once

#include <pthread.h>

#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <memory>
#include <mutex>
#include <thread>
#include <vector>

#include "core/base/clock.hpp"

struct lua_State;
struct lua_Debug;

namespace moonwire::script {

class Watchdog;

/// The runs of one Lua state, under a watchdog's eye: from `begin` to `end` Lua code may use its
/// budget; then a hook that the watchdog has armed raises "stopped after 100 ms …" at every
/// instruction, so that no pcall can swallow it. C functions that work for long look at
/// lua_gethookmask now and then.
///
/// A budget is time on a processor: where that can be told, who only waited for one goes on (at
/// most ten times as long). `begin` and `end` are the thread's that runs the state. They cost two ordered stores; the hook
/// costs nothing before it is armed. With the JIT on nothing would stop a compiled loop, so such a
/// state has no guard.
class RunGuard {
public:
    /// `watchdog` may be null: nothing is ever stopped.
    RunGuard(lua_State* state, std::shared_ptr<Watchdog> watchdog);
    ~RunGuard();
    RunGuard(const RunGuard&) = delete;
    RunGuard& operator=(const RunGuard&) = delete;

    /// A zero budget is none.
    void begin(TimePoint now, Duration budget) noexcept;
    /// Whether the run was stopped; `failed`: it ended with an error.
    bool end(bool failed) noexcept;

private:
    friend class Watchdog;
    static void stop(lua_State* state, lua_Debug* activation);

    lua_State* const state_;
    const std::shared_ptr<Watchdog> watchdog_;
    std::atomic<std::int64_t> budget_{0};  // these two belong to the run that deadline_ tells of
    std::atomic<pthread_t> thread_{};
    std::atomic<std::int64_t> deadline_{0};  // Clock's ticks; 0: nothing runs
    std::atomic<bool> armed_{false};
    std::mutex mutex_;  // of the hook: held to set it, when it fires, and to take it off
    bool hooked_ = false, fired_ = false;  // under it
    // The watchdog's own: the run that it saw last, and what its thread had used by then.
    std::int64_t seen_ = 0;
    Duration used_before_{};
};

/// A thread that looks at all guards a hundred times a second while anything runs, and sleeps
/// otherwise. Shared by the states that it guards, which may outlive their host in what a reactor
/// still has to do.
///
/// A hook that is set from outside stops loops, recursion, pcall and coroutines within the
/// millisecond (luajit-notes.md), as long as the JIT is off.
class Watchdog {
public:
    Watchdog();
    ~Watchdog();

private:
    friend class RunGuard;
    void add(RunGuard& guard);
    void remove(RunGuard& guard);
    void wake() noexcept;
    void run();
    /// Stops what is overdue; whether anything runs at all.
    bool look_round();
    static bool is_overdue(RunGuard& guard, std::int64_t deadline, std::int64_t now);

    std::mutex mutex_;  // of the list
    std::vector<RunGuard*> guards_;
    std::atomic<bool> asleep_{false};
    std::mutex sleep_mutex_;
    std::condition_variable woken_;
    bool wanted_ = false, stopping_ = false;  // under sleep_mutex_
    std::thread thread_;
};

}  // namespace moonwire::script
