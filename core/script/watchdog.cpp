#include "core/script/watchdog.hpp"

#include <time.h>

#include <algorithm>
#include <chrono>
#include <lua.hpp>
#include <utility>

#include "core/script/vm.hpp"

namespace moonwire::script {
namespace {

constexpr std::chrono::milliseconds kInterval{10};  // between two looks
constexpr int kIdleLooks = 100;                     // in a row before it sleeps

/// What the thread has used of its processors; a thread that runs Lua is there.
Duration processor_time(pthread_t thread) {
    clockid_t clock{};
    timespec used{};
    if (pthread_getcpuclockid(thread, &clock) != 0 || clock_gettime(clock, &used) != 0)
        return Duration::zero();
    return std::chrono::seconds(used.tv_sec) + std::chrono::nanoseconds(used.tv_nsec);
}

std::int64_t ticks(TimePoint time) noexcept { return time.time_since_epoch().count(); }

}  // namespace

RunGuard::RunGuard(lua_State* state, std::shared_ptr<Watchdog> watchdog)
    : state_(state), watchdog_(std::move(watchdog)) {
    if (watchdog_) watchdog_->add(*this);
}

RunGuard::~RunGuard() {
    if (watchdog_) watchdog_->remove(*this);
}

void RunGuard::begin(TimePoint now, Duration budget) noexcept {
    if (!watchdog_ || budget == Duration::zero()) return;
    budget_.store(budget.count(), std::memory_order_relaxed);
    thread_.store(pthread_self(), std::memory_order_relaxed);
    deadline_.store(ticks(now + budget));
    if (watchdog_->asleep_.load()) watchdog_->wake();
}

bool RunGuard::end(bool failed) noexcept {
    if (!watchdog_) return false;
    // Ordered against look_round: either it sees that the run is over, or this sees that it armed.
    deadline_.store(0);
    if (!armed_.load()) return false;
    std::lock_guard lock(mutex_);
    lua_sethook(state_, nullptr, 0, 0);
    armed_ = false;
    const bool overdue = std::exchange(hooked_, false);
    return std::exchange(fired_, false) || (overdue && failed);
}

void RunGuard::stop(lua_State* state, lua_Debug* activation) {
    RunGuard& guard = Vm::of(state).guard();
    {
        std::lock_guard lock(guard.mutex_);
        guard.fired_ = true;
    }
    // The broker's own Lua is nobody's line to look at.
    for (int level = 0; lua_getstack(state, level, activation); ++level) {
        lua_getinfo(state, "Sl", activation);
        if (activation->currentline > 0 && *activation->source == '@') break;
    }
    const auto budget = std::chrono::duration_cast<std::chrono::milliseconds>(
        Duration(guard.budget_.load(std::memory_order_relaxed)));
    lua_pushfstring(state, "%s:%d: stopped after %d ms without waiting", activation->short_src,
                    activation->currentline, static_cast<int>(budget.count()));
    lua_error(state);
}

Watchdog::Watchdog()
    : thread_([this] {
          ::pthread_setname_np(::pthread_self(), "watchdog");
          run();
      }) {}

Watchdog::~Watchdog() {
    {
        std::lock_guard lock(sleep_mutex_);
        stopping_ = true;
    }
    woken_.notify_one();
    thread_.join();
}

void Watchdog::add(RunGuard& guard) {
    std::lock_guard lock(mutex_);
    guards_.push_back(&guard);
}

void Watchdog::remove(RunGuard& guard) {
    std::lock_guard lock(mutex_);
    std::erase(guards_, &guard);
}

void Watchdog::wake() noexcept {
    {
        std::lock_guard lock(sleep_mutex_);
        wanted_ = true;
    }
    woken_.notify_one();
}

bool Watchdog::is_overdue(RunGuard& guard, std::int64_t deadline, std::int64_t now) {
    const Duration used = processor_time(guard.thread_.load(std::memory_order_relaxed));
    if (guard.seen_ != deadline) {
        guard.seen_ = deadline;
        guard.used_before_ = used;
    }
    if (now < deadline) return false;
    // What it used before the first look, and since the last, is not known.
    const Duration budget(guard.budget_.load(std::memory_order_relaxed));
    return used - guard.used_before_ + 2 * kInterval >= budget ||
           now - deadline >= 9 * budget.count();
}

bool Watchdog::look_round() {
    std::lock_guard lock(mutex_);
    const std::int64_t now = ticks(Clock::now());
    bool any = false;
    for (RunGuard* guard : guards_) {
        const std::int64_t deadline = guard->deadline_.load();
        any |= deadline != 0;
        if (deadline == 0 || !is_overdue(*guard, deadline, now)) continue;
        std::lock_guard hook(guard->mutex_);
        guard->armed_.store(true);
        // Again at every look until it has fired: one that was set while a pcall of the state's
        // caught an error may be lost. Never afterwards: the state marks itself as being in its hook
        // beside the hook's mask, and a mark written back late would be the last of its hooks.
        if (guard->deadline_.load() != deadline || guard->fired_) continue;
        lua_sethook(guard->state_, &RunGuard::stop, LUA_MASKCOUNT, 1);
        guard->hooked_ = true;
    }
    return any;
}

void Watchdog::run() {
    int idle = 0;
    std::unique_lock lock(sleep_mutex_);
    while (!stopping_) {
        lock.unlock();
        idle = look_round() ? 0 : idle + 1;
        lock.lock();
        if (stopping_) break;
        if (idle < kIdleLooks) {
            woken_.wait_for(lock, kInterval);
            continue;
        }
        wanted_ = false;
        asleep_.store(true);
        // What began before it could see the flag is seen here.
        lock.unlock();
        const bool any = look_round();
        lock.lock();
        if (!any) woken_.wait(lock, [this] { return wanted_ || stopping_; });
        asleep_.store(false);
        idle = 0;
    }
}

}  // namespace moonwire::script
