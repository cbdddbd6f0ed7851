#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "core/base/counter.hpp"
#include "core/base/function.hpp"
#include "core/base/reactor.hpp"
#include "core/base/result.hpp"
#include "core/script/origin.hpp"
#include "core/script/vm.hpp"

struct lua_State;

namespace moonwire::script {

class Generation;
class Runtime;

/// How a coroutine ended. `thread` holds the results from 1 to `results`, or the error on top.
struct Outcome {
    lua_State* thread;
    bool ok;
    int results;
    const Origin* origin;
    Generation& generation;  // whose code it ran
    bool stopped = false;  // it was not ok, for it ran over its budget
    Duration ran{};        // without its waits
    Duration lasted{};     // with them
};

/// A reload or a shutdown cancels what is background: timers' runs and what they or `spawn`
/// started.
enum class TaskKind : std::uint8_t { foreground, background };

/// Whose code a coroutine runs, and who hears of its end. `done` is called at most once, from the
/// loop; a cancelled task's is destroyed uncalled.
struct TaskInfo {
    std::shared_ptr<Generation> generation;
    TaskKind kind = TaskKind::foreground;
    Function<void(Outcome&)> done;
    OriginPtr origin{};    // of a task that no event starts
    std::uint64_t id = 0;  // the scheduler's; never 0 in a task
};

/// Whether `other` is this task, or waits until this one has ended (gather): waiting for it would
/// be waiting for oneself.
bool waits_for(const TaskInfo& task, std::uint64_t other);

/// Names one suspension of one coroutine. A stale one is safe to resume: nothing happens.
struct WaitId {
    std::uint32_t slot = 0;
    std::uint64_t serial = 0;
};

/// Pushes the values that a wait ends with; returns how many. Runs protected on the main state, so
/// it must not own what an error leaving it would leak.
using Pusher = Function<int(lua_State*)>;

/// Figures of one namespace's coroutines; written on its home reactor, read anywhere.
struct SchedulerStats {
    Counter started, failed, stopped, live, run_nanoseconds, longest_nanoseconds, memory_bytes;
};

/// The coroutines of one namespace: starts them, suspends them in waits, resumes them from the
/// loop.
///
/// Home reactor. Every handler, timer and spawned function is a task with a coroutine of its own;
/// finished ones are kept for reuse. A task waits for one thing at a time, and a wait ends once.
/// Nothing is ever resumed from within another coroutine: what ends a wait while one runs is put
/// off to a later turn, so handlers don't re-enter each other and the C stack stays flat. Over the
/// limit `open` gives nothing, and the caller answers `busy`.
class Scheduler : public std::enable_shared_from_this<Scheduler> {
public:
    struct Task;

    /// `stats` must outlive this.
    /// `budget`: how long a task may run without waiting; zero: for ever.
    Scheduler(Runtime& runtime, Reactor& home, std::size_t max_tasks, Duration budget,
              SchedulerStats& stats);
    ~Scheduler();

    Reactor& home() const noexcept { return home_; }
    std::size_t live() const noexcept { return live_; }
    std::size_t max_tasks() const noexcept { return max_tasks_; }
    SchedulerStats& stats() noexcept { return stats_; }

    /// Makes a task of the function and arguments that `push(state)` leaves on the stack; it
    /// returns how many arguments, or -1 to give up. Null when it gave up or raised (`error`), or
    /// at the limit.
    template <typename Push>
    Task* open(TaskInfo info, Push&& push, std::string* error = nullptr) {
        Task* task = claim(std::move(info));
        if (!task) {
            if (error) *error = kBusy;
            return nullptr;
        }
        bool opened = false;
        auto result = Vm::protect(main_state(), 0, [&](lua_State* state) {
            const int arguments = push(state);
            if (arguments >= 0) {
                load(state, *task, arguments);
                opened = true;
            }
            return 0;
        });
        if (opened && result) return task;
        if (error && !result) *error = result.error().message;
        abandon(*task);
        return nullptr;
    }
    /// Runs a task from `open` until it waits or ends. From the loop.
    void run(Task& task);
    /// Runs it in a later turn.
    void queue(Task& task);
    void set_done(Task& task, Function<void(Outcome&)> done);

    /// The task that runs now, or null.
    const TaskInfo* running() const noexcept;

    /// For a waiting C function, called with its own state, before it sets anything going: raises,
    /// naming the call (put down to the function `level` calls up), where waiting is impossible.
    /// Then `return lua_yield(state, 0)`.
    WaitId begin_wait(lua_State* state, const char* call, int level = 1);
    /// Ends the wait with these values after a delay, unless something else ends it first.
    void end_after(WaitId wait, Duration delay, Pusher push);
    /// Ends the wait. False if it has ended already.
    bool end(WaitId wait, Pusher push);

    /// Keeps this until the running task ends, however it does, or lets go of it.
    void hold(std::shared_ptr<void> thing);
    void let_go(const void* thing);

    /// Drops the background tasks of a generation that was replaced.
    void cancel_background(const Generation& generation);
    /// Drops everything, before the Lua state goes.
    void cancel_all();

    static constexpr const char* kBusy = "too many handlers are waiting";

private:
    lua_State* main_state() const;
    Task* claim(TaskInfo info);
    void load(lua_State* state, Task& task, int arguments);
    void resume(Task& task, int arguments);
    void finish(Task& task, TimePoint now, bool ok, int results, bool stopped = false);
    void abandon(Task& task);
    void recycle(Task& task, bool reusable);
    void defer();
    void drain();

    Runtime& runtime_;
    Reactor& home_;
    const std::size_t max_tasks_;
    const Duration budget_;
    std::vector<std::unique_ptr<Task>> slots_;
    std::vector<std::uint32_t> free_;
    std::size_t live_ = 0;
    std::size_t pooled_ = 0;  // free slots that keep a coroutine
    Task* running_ = nullptr;
    std::uint64_t last_serial_ = 0;
    std::uint64_t last_task_ = 0;
    struct Deferred {
        WaitId wait;  // of a suspension; or the task to start
        Pusher push;  // empty: start it
    };
    std::vector<Deferred> deferred_;
    bool drain_posted_ = false;
    SchedulerStats& stats_;
};

}  // namespace moonwire::script
