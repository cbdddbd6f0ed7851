#include "core/script/scheduler.hpp"

#include <lua.hpp>

#include "core/script/generation.hpp"
#include "core/script/lua_tools.hpp"
#include "core/script/runtime.hpp"

namespace moonwire::script {
namespace {

/// Finished coroutines kept for the next handlers; more than this wait only in bursts.
constexpr std::size_t kPooledCoroutines = 64;

}  // namespace

bool waits_for(const TaskInfo& task, std::uint64_t other) {
    if (task.id == other) return true;
    for (const Origin* origin = task.origin.get(); origin && origin->awaited;
         origin = origin->parent.get())
        if (origin->task == other) return true;
    return false;
}

struct Scheduler::Task {
    TaskInfo info;
    std::uint32_t slot = 0;
    std::uint64_t serial = 0;  // of the task until it runs, then of its wait; 0: neither
    bool live = false;
    lua_State* thread = nullptr;
    LuaRef thread_ref;
    TimerId timer;
    TimePoint began{};  // when it first ran
    Duration ran{};
    std::vector<std::shared_ptr<void>> held;
};

Scheduler::Scheduler(Runtime& runtime, Reactor& home, std::size_t max_tasks, Duration budget,
                     SchedulerStats& stats)
    : runtime_(runtime), home_(home), max_tasks_(max_tasks), budget_(budget), stats_(stats) {}

Scheduler::~Scheduler() = default;

lua_State* Scheduler::main_state() const { return runtime_.state(); }

Scheduler::Task* Scheduler::claim(TaskInfo info) {
    if (live_ >= max_tasks_) return nullptr;
    if (free_.empty()) {
        free_.push_back(static_cast<std::uint32_t>(slots_.size()));
        slots_.push_back(std::make_unique<Task>());
        slots_.back()->slot = free_.back();
    }
    Task& task = *slots_[free_.back()];
    free_.pop_back();
    if (task.thread) --pooled_;
    task.info = std::move(info);
    task.info.id = ++last_task_;
    task.live = true;
    ++live_;
    stats_.live.add();
    return &task;
}

void Scheduler::load(lua_State* state, Task& task, int arguments) {
    if (!task.thread) {
        lua_State* thread = lua_newthread(state);
        task.thread_ref = LuaRef::pop(state);
        task.thread = thread;
    }
    if (!lua_checkstack(task.thread, arguments + LUA_MINSTACK)) luaL_error(state, "stack overflow");
    lua_xmove(state, task.thread, arguments + 1);
}

void Scheduler::set_done(Task& task, Function<void(Outcome&)> done) {
    task.info.done = std::move(done);
}

const TaskInfo* Scheduler::running() const noexcept { return running_ ? &running_->info : nullptr; }

void Scheduler::run(Task& task) {
    stats_.started.add();
    task.serial = 0;
    resume(task, lua_gettop(task.thread) - 1);
}

void Scheduler::resume(Task& task, int arguments) {
    running_ = &task;
    const TimePoint began = Clock::now();
    runtime_.guard().begin(began, budget_);
    const int status = lua_resume(task.thread, arguments);
    const bool stopped = runtime_.guard().end(status != 0 && status != LUA_YIELD);
    const TimePoint now = Clock::now();
    if (task.began == TimePoint{}) task.began = began;
    task.ran += now - began;
    const auto took = static_cast<std::uint64_t>((now - began).count());
    running_ = nullptr;
    stats_.run_nanoseconds.add(took);
    if (took > stats_.longest_nanoseconds.get())
        stats_.longest_nanoseconds.add(took - stats_.longest_nanoseconds.get());
    if (status != LUA_YIELD) {  // only begin_wait's callers yield: task.serial is set
        // What a last pcall made of the stop is no result.
        const bool ok = status == 0 && !stopped;
        if (stopped && lua_gettop(task.thread) == 0) lua_pushnil(task.thread);
        finish(task, now, ok, ok ? lua_gettop(task.thread) : 0, stopped);
    }
    runtime_.caught.reset();  // what it caught explains no other's error
}

void Scheduler::finish(Task& task, TimePoint now, bool ok, int results, bool stopped) {
    if (stopped) stats_.stopped.add();
    Outcome outcome{task.thread,           ok,      results,  task.info.origin.get(),
                    *task.info.generation, stopped, task.ran, now - task.began};
    auto done = std::move(task.info.done);
    if (done) done(outcome);
    recycle(task, ok);
    if (!ok) runtime_.expect_garbage();
    stats_.memory_bytes.add(runtime_.memory_bytes() - stats_.memory_bytes.get());
}

void Scheduler::abandon(Task& task) { recycle(task, task.thread && lua_gettop(task.thread) == 0); }

void Scheduler::recycle(Task& task, bool reusable) {
    home_.cancel(task.timer);
    task.timer = {};
    task.serial = 0;
    task.live = false;
    task.began = {};
    task.ran = {};
    task.info = {};
    const auto held = std::exchange(task.held, {});
    if (reusable && pooled_ < kPooledCoroutines) {
        lua_settop(task.thread, 0);
        ++pooled_;
    } else {
        task.thread = nullptr;
        task.thread_ref.reset();
    }
    free_.push_back(task.slot);
    --live_;
    stats_.live.subtract();
}

WaitId Scheduler::begin_wait(lua_State* state, const char* call, int level) {
    runtime_.refuse_while_loading(state, call, level);
    if (!running_ || running_->thread != state)
        raise_at(state, level, "%s can only be used in a handler, a timer or a route", call);
    if (!lua_isyieldable(state))
        raise_at(state, level,
                 "%s can't be used inside a callback of table.sort, string.gsub or the like", call);
    running_->serial = ++last_serial_;
    return {running_->slot, running_->serial};
}

void Scheduler::end_after(WaitId wait, Duration delay, Pusher push) {
    Task& task = *slots_[wait.slot];
    home_.cancel(task.timer);
    task.timer =
        home_.after(delay, [weak = weak_from_this(), wait, push = std::move(push)]() mutable {
            if (const auto self = weak.lock()) self->end(wait, std::move(push));
        });
}

bool Scheduler::end(WaitId wait, Pusher push) {
    Task& task = *slots_[wait.slot];
    if (!task.live || task.serial != wait.serial) return false;
    if (running_) {
        deferred_.push_back({wait, std::move(push)});
        defer();
        return true;
    }
    task.serial = 0;
    home_.cancel(task.timer);
    task.timer = {};
    int values = 0;
    auto pushed = Vm::protect(main_state(), 0, [&](lua_State* state) {
        values = push(state);
        if (!lua_checkstack(task.thread, values + 1)) luaL_error(state, "stack overflow");
        lua_xmove(state, task.thread, values);
        return 0;
    });
    if (pushed) {
        resume(task, values);
    } else {
        // The values did not fit into memory: the handler ends here, as a bug.
        lua_pushnil(task.thread);
        finish(task, Clock::now(), false, 0);
    }
    return true;
}

void Scheduler::queue(Task& task) {
    task.serial = ++last_serial_;
    deferred_.push_back({{task.slot, task.serial}, {}});
    defer();
}

void Scheduler::defer() {
    if (std::exchange(drain_posted_, true)) return;
    home_.post([weak = weak_from_this()] {
        if (const auto self = weak.lock()) self->drain();
    });
}

void Scheduler::drain() {
    drain_posted_ = false;
    // What these start or wake waits for the next turn: spawning in a circle can't hold the loop.
    for (Deferred& each : std::exchange(deferred_, {})) {
        Task& task = *slots_[each.wait.slot];
        if (!task.live || task.serial != each.wait.serial) continue;
        if (each.push) end(each.wait, std::move(each.push));
        else run(task);
    }
}

void Scheduler::hold(std::shared_ptr<void> thing) { running_->held.push_back(std::move(thing)); }

void Scheduler::let_go(const void* thing) {
    std::erase_if(running_->held, [&](const auto& each) { return each.get() == thing; });
}

void Scheduler::cancel_background(const Generation& generation) {
    for (const auto& task : slots_)
        if (task->live && task->info.kind == TaskKind::background &&
            task->info.generation.get() == &generation)
            recycle(*task, false);
}

void Scheduler::cancel_all() {
    for (const auto& task : slots_) {
        if (task->live) recycle(*task, false);
        task->thread = nullptr;
        task->thread_ref.reset();
    }
    pooled_ = 0;
    deferred_.clear();
}

}  // namespace moonwire::script
