#include "core/script/timers.hpp"

#include <algorithm>
#include <cmath>

#include "core/base/log.hpp"
#include "core/script/generation.hpp"
#include "core/script/tasks.hpp"

namespace moonwire::script {

namespace {

/// A cron looks at the wall clock at least this often, for that may be set.
constexpr double kLongestWait = 60;
/// A clock set back by less is being corrected: what has run does not run again.
constexpr std::int64_t kCorrection = 3 * 60 * 60;

}  // namespace

std::uint64_t Timers::add(int slot, const Beat& beat, OriginPtr origin) {
    const std::uint64_t id = ++last_id_;
    Timer& timer = timers_[id] = {slot, beat, std::move(origin)};
    if (started_) arm(id, timer);
    return id;
}

bool Timers::cancel(std::uint64_t id) {
    auto node = timers_.extract(id);
    if (node.empty()) return false;
    if (started_) generation_.runtime().scheduler->home().cancel(node.mapped().armed);
    generation_.forget(node.mapped().slot);
    return true;
}

void Timers::start() {
    started_ = true;
    for (auto& [id, timer] : timers_) arm(id, timer);
}

void Timers::cancel_all() {
    if (started_)
        for (auto& [id, timer] : timers_)
            generation_.runtime().scheduler->home().cancel(timer.armed);
    timers_.clear();
}

void Timers::arm(std::uint64_t id, Timer& timer) {
    Reactor& home = generation_.runtime().scheduler->home();
    Duration wait;
    if (timer.beat.times) {
        wait = until_time(timer);
    } else {
        const TimePoint now = home.now();
        // A repeated timer keeps its beat; one that has fallen behind skips what it missed.
        if (timer.due == TimePoint{}) timer.due = now + timer.beat.delay;
        else timer.due = std::max(timer.due + timer.beat.interval, now);
        wait = timer.due - now;
    }
    timer.armed = home.after(wait, [weak = generation_.weak_from_this(), id] {
        if (const auto generation = weak.lock()) generation->timers().fire(id);
    });
}

Duration Timers::until_time(Timer& timer) {
    const double now = generation_.runtime().scheduler->home().wall_now();
    const auto second = static_cast<std::int64_t>(std::floor(now));
    // Set back by a lot, the clock had been wrong before.
    if (timer.last_time > second + kCorrection) timer.last_time = second;
    timer.time = timer.beat.times->next(std::max(second, timer.last_time));
    const double wait = std::clamp(static_cast<double>(timer.time) - now, 0.001, kLongestWait);
    return std::chrono::duration_cast<Duration>(std::chrono::duration<double>(wait));
}

void Timers::fire(std::uint64_t id) {
    const auto found = timers_.find(id);
    if (found == timers_.end()) return;
    Timer& timer = found->second;
    if (timer.beat.times) {
        const double now = generation_.runtime().scheduler->home().wall_now();
        if (now < static_cast<double>(timer.time)) return arm(id, timer);
        timer.last_time = static_cast<std::int64_t>(std::floor(now));
    }
    const bool repeats = timer.repeats();
    if (repeats) arm(id, timer);
    if (timer.running) return;
    timer.running = repeats;

    Scheduler& scheduler = *generation_.runtime().scheduler;
    const auto generation = generation_.shared_from_this();
    std::string error;
    Scheduler::Task* task = scheduler.open(
        {generation, TaskKind::background, {}, timer.origin},
        [&](lua_State* state) {
            generation->push(state, timer.slot);
            return 0;
        },
        &error);
    if (!repeats) cancel(id);
    if (!task) {
        if (repeats) timer.running = false;
        log_task_not_started(*generation, "timer", error);
        return;
    }
    scheduler.set_done(*task, [generation, id](Outcome& outcome) {
        report_background(*generation, "timer", outcome);
        auto& timers = generation->timers().timers_;
        if (const auto still = timers.find(id); still != timers.end())
            still->second.running = false;
    });
    scheduler.run(*task);
}

}  // namespace moonwire::script
