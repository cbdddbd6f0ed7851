#include "core/script/origin.hpp"

#include "core/script/api.hpp"

namespace moonwire::script {

OriginPtr make_origin(lua_State* state, const char* call, int level, bool awaited) {
    auto origin = std::make_shared<Origin>();
    origin->text = call;
    // A tail call ("return ask(…)") leaves no caller to name.
    if (const std::string position = caller_position(state, level); !position.empty())
        origin->text += " at " + position;
    origin->awaited = awaited;
    const Scheduler* scheduler = Runtime::of(state).scheduler.get();
    const TaskInfo* running = scheduler ? scheduler->running() : nullptr;
    if (!running) return origin;
    origin->task = running->id;
    if (running->origin && running->origin->depth < kMaxOrigins) {
        origin->parent = running->origin;
        origin->depth = running->origin->depth + 1;
    }
    return origin;
}

std::string origin_trail(const Origin* origin) {
    std::string trail;
    for (; origin; origin = origin->parent.get())
        trail += (trail.empty() ? "\nstarted by:\n\t" : "\n\t") + origin->text;
    return trail;
}

}  // namespace moonwire::script
