#include "core/script/timers.hpp"

#include "core/base/log.hpp"
#include "core/script/generation.hpp"
#include "core/script/tasks.hpp"

namespace moonwire::script {

std::uint64_t Timers::add(int slot, Duration delay, Duration interval) {
    const std::uint64_t id = ++last_id_;
    Timer& timer = timers_[id] = {slot, delay, interval};
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
    const TimePoint now = home.now();
    // A repeated timer keeps its beat; one that has fallen behind skips what it missed.
    if (timer.due == TimePoint{}) timer.due = now + timer.delay;
    else timer.due = std::max(timer.due + timer.interval, now);
    timer.armed = home.after(timer.due - now, [weak = generation_.weak_from_this(), id] {
        if (const auto generation = weak.lock()) generation->timers().fire(id);
    });
}

void Timers::fire(std::uint64_t id) {
    const auto found = timers_.find(id);
    if (found == timers_.end()) return;
    Timer& timer = found->second;
    const bool repeats = timer.interval > Duration::zero();
    if (repeats) arm(id, timer);
    if (timer.running) return;
    timer.running = repeats;

    Scheduler& scheduler = *generation_.runtime().scheduler;
    const auto generation = generation_.shared_from_this();
    std::string error;
    Scheduler::Task* task = scheduler.open(
        {generation, TaskKind::background, {}},
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
