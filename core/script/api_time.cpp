#include <cmath>

#include "core/base/clock.hpp"
#include "core/base/ids.hpp"
#include "core/script/api.hpp"
#include "core/script/namespace_vm.hpp"

namespace moonwire::script {
namespace {

/// What after() and every() return.
struct TimerObject {
    std::weak_ptr<Generation> generation;
    std::uint64_t id = 0;
};

/// Makes a timer of the function at 2; `call` is what the script said.
int push_timer(lua_State* state, const Timers::Beat& beat, const char* call) {
    Generation& generation = generation_of(state);
    luaL_checktype(state, 2, LUA_TFUNCTION);
    // Code that a reload replaced runs to its end, but starts nothing new in the background.
    if (generation.phase() == Generation::Phase::retired) {
        push_object<TimerObject>(state, kTimerMetatableKey);
        return 1;
    }
    const NamespaceVm* owner = generation.runtime().owner;
    if (owner && generation.timers().size() >= owner->limits().timers)
        return luaL_error(state, "too many timers (the limit is %d)",
                          static_cast<int>(owner->limits().timers));
    lua_settop(state, 2);
    OriginPtr origin = make_origin(state, call);
    const int slot = generation.keep(state);
    auto& timer = push_object<TimerObject>(state, kTimerMetatableKey, generation.weak_from_this());
    timer.id = generation.timers().add(slot, beat, std::move(origin));
    return 1;
}

int lua_after(lua_State* state) {
    return push_timer(state, {.delay = check_seconds(state, 1)}, "after");
}

int lua_every(lua_State* state) {
    const Duration interval = check_seconds(state, 1);
    luaL_argcheck(state, interval > Duration::zero(), 1, "more than zero seconds expected");
    return push_timer(state, {.delay = interval, .interval = interval}, "every");
}

int lua_cron(lua_State* state) {
    auto times = CronTimes::parse(check_text(state, 1));
    if (!times)
        return luaL_error(state, "cron '%s': %s", lua_tostring(state, 1),
                          times.error().message.c_str());
    return push_timer(state, {.times = *times}, "cron");
}

int cancel_timer(lua_State* state) {
    auto* timer = to_object<TimerObject>(state, 1, kTimerMetatableKey);
    if (!timer) return luaL_typerror(state, 1, "timer");
    const auto generation = timer->generation.lock();
    lua_pushboolean(state, generation && generation->timers().cancel(timer->id));
    return 1;
}

int index_timer(lua_State* state) {
    find_member(state, "timer");
    return 1;
}

int lua_spawn(lua_State* state) {
    Generation& generation = generation_of(state);
    luaL_checktype(state, 1, LUA_TFUNCTION);
    if (generation.phase() == Generation::Phase::retired) return 0;
    lua_settop(state, 1);
    OriginPtr origin = make_origin(state, "spawn");
    const int slot = generation.keep(state);
    if (generation.phase() == Generation::Phase::loading)
        generation.spawns.push_back({slot, std::move(origin)});
    else generation.spawn({slot, std::move(origin)});
    return 0;
}

int lua_sleep(lua_State* state) {
    const Duration delay = check_seconds(state, 1);
    Runtime& runtime = Runtime::of(state);
    // A scratch state has no scheduler to ask.
    runtime.refuse_while_loading(state, "sleep");
    const WaitId wait = runtime.scheduler->begin_wait(state, "sleep");
    runtime.scheduler->end_after(wait, delay, [](lua_State*) { return 0; });
    return lua_yield(state, 0);
}

/// A scratch state has no reactor to ask.
double wall_time(lua_State* state) {
    const NamespaceVm* owner = Runtime::of(state).owner;
    return owner ? owner->home().wall_now() : wall_seconds();
}

int lua_now(lua_State* state) {
    lua_pushnumber(state, wall_time(state));
    return 1;
}

/// `os.time()` and `os.date(format)` go by the same clock; the upvalue is Lua's own function.
int lua_os_time(lua_State* state) {
    if (lua_isnoneornil(state, 1)) {
        lua_pushnumber(state, std::floor(wall_time(state)));
        return 1;
    }
    lua_settop(state, 1);
    lua_pushvalue(state, lua_upvalueindex(1));
    lua_insert(state, 1);
    lua_call(state, 1, 1);
    return 1;
}

int lua_os_date(lua_State* state) {
    lua_settop(state, 2);
    if (lua_isnil(state, 2)) {
        lua_pushnumber(state, std::floor(wall_time(state)));
        lua_replace(state, 2);
    }
    lua_pushvalue(state, lua_upvalueindex(1));
    lua_insert(state, 1);
    lua_call(state, 2, 1);
    return 1;
}

/// Puts `function` in the place of the one in the table on top, as its upvalue.
void wrap(lua_State* state, const char* name, lua_CFunction function) {
    lua_getfield(state, -1, name);
    lua_pushcclosure(state, function, 1);
    lua_setfield(state, -2, name);
}

int lua_iso_time(lua_State* state) {
    // Years 0 to 9999, as the format has it.
    constexpr double kFirst = -62167219200.0, kLast = 253402300799.999;
    const double seconds = luaL_optnumber(state, 1, wall_time(state));
    luaL_argcheck(state, seconds >= kFirst && seconds <= kLast, 1, "seconds since 1970 expected");
    push_string(state, iso_time(seconds));
    return 1;
}

int lua_uuid(lua_State* state) {
    push_string(state, make_uuid());
    return 1;
}

}  // namespace

void register_timers(lua_State* state) {
    const luaL_Reg methods[] = {{"cancel", cancel_timer}, {nullptr, nullptr}};
    make_metatable(state, kTimerMetatableKey, "timer", collect_object<TimerObject>, index_timer,
                   methods, nullptr);
}

void install_time(lua_State* state) {
    const luaL_Reg functions[] = {{"sleep", lua_sleep},       {"after", lua_after},
                                  {"every", lua_every},       {"cron", lua_cron},
                                  {"spawn", lua_spawn},       {"now", lua_now},
                                  {"iso_time", lua_iso_time}, {"uuid", lua_uuid},
                                  {nullptr, nullptr}};
    install_functions(state, 1, functions);
    push_prelude(state, Prelude::gather);
    lua_setfield(state, 1, "gather");
    lua_getfield(state, 1, "os");
    wrap(state, "time", lua_os_time);
    wrap(state, "date", lua_os_date);
    lua_pop(state, 1);
}

}  // namespace moonwire::script
