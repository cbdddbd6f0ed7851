#include "core/script/generation.hpp"

#include "core/script/metric_registry.hpp"
#include "core/script/tasks.hpp"

namespace moonwire::script {

Generation::Generation(Runtime& runtime, std::uint64_t number, const NamespaceSources& sources)
    : runtime_(runtime),
      number_(number),
      nsp_(sources.name),
      app_(sources.app),
      used_modules_(sources.used),
      timers_(*this) {}

void Generation::open(lua_State* state) {
    lua_newtable(state);
    functions_ = LuaRef::pop(state);
    lua_pushvalue(state, 1);
    environment_ = LuaRef::pop(state);
}

int Generation::keep(lua_State* state) {
    functions_.push(state);
    lua_insert(state, -2);
    const int slot = luaL_ref(state, -2);
    lua_pop(state, 1);
    return slot;
}

void Generation::forget(int slot) {
    if (!functions_) return;
    lua_State* state = runtime_.state();
    functions_.push(state);
    luaL_unref(state, -1, slot);
    lua_pop(state, 1);
}

void Generation::push(lua_State* state, int slot) const {
    if (!functions_) return lua_pushnil(state);
    functions_.push(state);
    lua_rawgeti(state, -1, slot);
    lua_remove(state, -2);
}

void Generation::append(lua_State* state, Chained& list) {
    if (list.slot == 0) {
        lua_newtable(state);
        list.slot = keep(state);
    }
    push(state, list.slot);
    lua_insert(state, -2);
    lua_rawseti(state, -2, ++list.count);
    lua_pop(state, 1);
}

void Generation::go_live() {
    phase_ = Phase::live;
    timers_.start();
    for (Spawn& each : std::exchange(spawns, {})) spawn(std::move(each));
}

void Generation::retire() {
    phase_ = Phase::retired;
    timers_.cancel_all();
    if (runtime_.scheduler) runtime_.scheduler->cancel_background(*this);
    functions_.reset();
    environment_.reset();
    metrics.clear();
}

void Generation::spawn(Spawn spawned) {
    Scheduler& scheduler = *runtime_.scheduler;
    std::string error;
    Scheduler::Task* task = scheduler.open(
        {shared_from_this(), TaskKind::background, {}, std::move(spawned.origin)},
        [&](lua_State* state) {
            push(state, spawned.slot);
            return 0;
        },
        &error);
    forget(spawned.slot);
    if (!task) return log_task_not_started(*this, "spawn", error);
    scheduler.set_done(*task, [self = shared_from_this()](Outcome& outcome) {
        report_background(*self, "spawn", outcome);
    });
    scheduler.queue(*task);
}

}  // namespace moonwire::script
