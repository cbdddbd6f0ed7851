#include "core/script/api.hpp"
#include "core/script/namespace_object.hpp"

namespace moonwire::script {
namespace {

constexpr std::size_t kMaxKeyBytes = 1000;

}  // namespace

int lua_acquire(lua_State* state) {
    Runtime& runtime = Runtime::of(state);
    // Level 2 is whoever called the prelude's lock().
    runtime.refuse_while_loading(state, "ns:lock", 2);
    if (!to_object<NamespaceObject>(state, 1, kNamespaceMetatableKey))
        raise_at(state, 2, "lock is a namespace's%s (called with ':'?)", "");
    if (!lua_isstring(state, 2) || !lua_isfunction(state, 3))
        raise_at(state, 2, "ns:lock takes a key and a function%s", "");
    const std::string_view key = check_text(state, 2);
    if (key.size() > kMaxKeyBytes) raise_at(state, 2, "ns:lock: the key is too long%s", "");
    Scheduler& scheduler = *runtime.scheduler;
    const std::uint64_t holder = runtime.locks.holder(key);
    if (holder == 0) {
        runtime.locks.take(scheduler, std::string(key));
        return 0;
    }
    if (waits_for(*scheduler.running(), holder))
        raise_at(state, 2, "ns:lock: this handler holds '%s' already", key.data());
    if (runtime.locks.waiting(key) >= Locks::kMaxWaiting) {
        lua_pushliteral(state, "busy");
        return 1;
    }
    const WaitId wait = scheduler.begin_wait(state, "ns:lock", 2);
    runtime.locks.queue(scheduler, std::string(key), wait);
    return lua_yield(state, 0);
}

int lua_release(lua_State* state) {
    Runtime& runtime = Runtime::of(state);
    runtime.locks.release(*runtime.scheduler, check_text(state, 1));
    if (lua_toboolean(state, 2)) return lua_gettop(state) - 2;
    lua_settop(state, 3);
    return lua_error(state);
}

void register_locks(lua_State* state) {
    lua_rawgeti(state, LUA_REGISTRYINDEX, kNamespaceMetatableKey);
    lua_getfield(state, -1, "__index");
    lua_getupvalue(state, -1, 1);
    push_prelude(state, Prelude::lock);
    lua_setfield(state, -2, "lock");
    lua_pop(state, 3);
}

}  // namespace moonwire::script
