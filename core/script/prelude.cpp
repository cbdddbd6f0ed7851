#include <memory>
#include <optional>
#include <string_view>

#include "core/script/api.hpp"

namespace moonwire::script {
namespace {

/// More results than this don't fit a call comfortably.
constexpr int kMaxGathered = 200;

// Lua, because waiting crosses Lua calls only: C can't call a handler that yields.
constexpr std::string_view kPrelude = R"lua(
local noack, wait_all, unwrap, xpcall, note_error, acquire, release, begin, commit = ...
local function run_all(list, ...)
  for i = 1, #list do list[i](...) end
end
local function collect(list, ...)
  local results = {}
  for i = 1, #list do results[i] = list[i](...) or false end
  return results
end
local function run_event(any, middleware, check, handler, socket, event, ...)
  if any then run_all(any, socket, event, ...) end
  if middleware then run_all(middleware, socket, event, ...) end
  if not handler then return noack end
  if check then return handler(socket, check(...)) end
  return handler(socket, ...)
end
local function gather(...)
  if select("#", ...) == 0 then return end
  return unwrap(wait_all(...))
end
local function lock(ns, key, fn)
  local why = acquire(ns, key, fn)
  if why then return nil, why end
  return release(key, xpcall(fn, note_error))
end
local function finish(ok, ...)
  local why = commit(ok, ...)
  if why then return nil, why end
  return ...
end
local function transaction(store, fn, options)
  local why = begin(store, fn, options)
  if why then return nil, why end
  return finish(xpcall(fn, note_error, store))
end
local function awaited(call, finish)
  return function(...) return finish(call(...)) end
end
return run_all, run_event, gather, collect, lock, transaction, awaited
)lua";

/// What gather() waits for: the functions' first results, by their place; the first error at 0.
struct Gathering {
    LuaRef results;
    int count = 0;
    int pending = 0;
    bool failed = false;
    std::optional<CaughtError> caught;  // of a first error that is a bug
    std::weak_ptr<Scheduler> scheduler;
    WaitId wait;
};

int push_gathered(lua_State* state, const Gathering& gathering) {
    luaL_checkstack(state, gathering.count + 2, "gather");
    gathering.results.push(state);
    const int results = lua_gettop(state);
    lua_pushboolean(state, !gathering.failed);
    if (gathering.failed) {
        lua_rawgeti(state, results, 0);
    } else {
        for (int i = 1; i <= gathering.count; ++i) lua_rawgeti(state, results, i);
    }
    if (gathering.caught) Runtime::of(state).caught = gathering.caught;
    lua_remove(state, results);
    return gathering.failed ? 2 : gathering.count + 1;
}

void note_result(const std::shared_ptr<Gathering>& gathering, int place, Outcome& outcome) {
    const auto scheduler = gathering->scheduler.lock();
    if (!scheduler) return;
    const bool first_error = !outcome.ok && !gathering->failed;
    gathering->failed |= !outcome.ok;
    if (first_error) {
        Failure failure = describe_failure(Vm::of(outcome.thread).state(), outcome);
        if (failure.is_bug)
            gathering->caught = {std::move(failure.message), std::move(failure.traceback)};
    }
    if (first_error || (outcome.ok && outcome.results > 0)) {
        lua_State* thread = outcome.thread;
        lua_pushvalue(thread, outcome.ok ? 1 : -1);
        gathering->results.push(thread);
        lua_insert(thread, -2);
        // The table has the places already, so this needs no memory.
        lua_rawseti(thread, -2, outcome.ok ? place : 0);
        lua_pop(thread, 1);
    }
    if (--gathering->pending > 0) return;
    scheduler->end(gathering->wait,
                   [gathering](lua_State* state) { return push_gathered(state, *gathering); });
}

int wait_all(lua_State* state) {
    Runtime& runtime = Runtime::of(state);
    // Level 2 is whoever called the prelude's gather().
    runtime.refuse_while_loading(state, "gather", 2);
    const int count = lua_gettop(state);
    if (count > kMaxGathered) raise_at(state, 2, "gather: too many functions%s", "");
    for (int i = 1; i <= count; ++i)
        if (!lua_isfunction(state, i))
            raise_at(state, 2, "gather takes functions, not a %s", luaL_typename(state, i));

    Scheduler& scheduler = *runtime.scheduler;
    auto gathering = std::make_shared<Gathering>();
    lua_createtable(state, count, 1);
    for (int i = 0; i <= count; ++i) {
        lua_pushboolean(state, 0);
        lua_rawseti(state, -2, i);
    }
    for (int i = 1; i <= count; ++i) {
        lua_pushnil(state);
        lua_rawseti(state, -2, i);
    }
    gathering->results = LuaRef::pop(state);
    gathering->count = gathering->pending = count;
    gathering->scheduler = scheduler.weak_from_this();
    gathering->wait = scheduler.begin_wait(state, "gather", 2);
    const TaskInfo& parent = *scheduler.running();
    const OriginPtr origin = make_origin(state, "gather", 2, true);
    for (int i = 1; i <= count; ++i) {
        std::string error;
        Scheduler::Task* task = scheduler.open(
            {parent.generation, parent.kind, {}, origin},
            [&](lua_State* main) {
                lua_pushvalue(state, i);
                lua_xmove(state, main, 1);
                return 0;
            },
            &error);
        // Those opened before run all the same; their results go nowhere.
        if (!task) raise_at(state, 2, "gather: %s", error.c_str());
        scheduler.set_done(*task, [gathering, place = i](Outcome& outcome) {
            note_result(gathering, place, outcome);
        });
        scheduler.queue(*task);
    }
    return lua_yield(state, 0);
}

int unwrap(lua_State* state) {
    if (lua_toboolean(state, 1)) return lua_gettop(state) - 1;
    lua_settop(state, 2);
    return lua_error(state);
}

}  // namespace

void register_prelude(lua_State* state) {
    const int top = lua_gettop(state);
    if (luaL_loadbufferx(state, kPrelude.data(), kPrelude.size(), "=[moonwire]", "t") != 0)
        lua_error(state);
    lua_newtable(state);
    lua_getfield(state, LUA_GLOBALSINDEX, "select");
    lua_setfield(state, -2, "select");
    lua_setfenv(state, -2);
    lua_rawgeti(state, LUA_REGISTRYINDEX, kNoAckKey);
    lua_pushcfunction(state, wait_all);
    lua_pushcfunction(state, unwrap);
    lua_getfield(state, LUA_GLOBALSINDEX, "xpcall");
    lua_pushcfunction(state, lua_note_error);
    lua_pushcfunction(state, lua_acquire);
    lua_pushcfunction(state, lua_release);
    lua_pushcfunction(state, lua_begin_transaction);
    lua_pushcfunction(state, lua_commit_transaction);
    constexpr int kFunctions = static_cast<int>(Prelude::awaited);
    lua_call(state, 9, kFunctions);
    lua_createtable(state, kFunctions, 0);
    for (int i = 1; i <= kFunctions; ++i) {
        lua_pushvalue(state, top + i);
        lua_rawseti(state, -2, i);
    }
    lua_rawseti(state, LUA_REGISTRYINDEX, kPreludeKey);
    lua_settop(state, top);
}

void push_prelude(lua_State* state, Prelude function) {
    lua_rawgeti(state, LUA_REGISTRYINDEX, kPreludeKey);
    lua_rawgeti(state, -1, static_cast<int>(function));
    lua_remove(state, -2);
}

}  // namespace moonwire::script
