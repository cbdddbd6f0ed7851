#include "core/script/c_stack.hpp"

#include <pthread.h>

#include <cstddef>
#include <cstdint>
#include <lua.hpp>

namespace moonwire::script {
namespace {

/// Enough for what a C function does before the next check.
constexpr std::size_t kReserveBytes = 256 * 1024;

/// The lowest address of this thread's stack; 0 if it can't be known.
std::uintptr_t stack_bottom() {
    pthread_attr_t attributes;
    if (pthread_getattr_np(pthread_self(), &attributes) != 0) return 0;
    void* bottom = nullptr;
    std::size_t size = 0;
    if (pthread_attr_getstack(&attributes, &bottom, &size) != 0) bottom = nullptr;
    pthread_attr_destroy(&attributes);
    return reinterpret_cast<std::uintptr_t>(bottom);
}

/// The function is the upvalue.
int guarded(lua_State* state) {
    check_c_stack(state);
    lua_pushvalue(state, lua_upvalueindex(1));
    lua_insert(state, 1);
    lua_call(state, lua_gettop(state) - 1, LUA_MULTRET);
    return lua_gettop(state);
}

}  // namespace

void check_c_stack(lua_State* state) {
    static thread_local const std::uintptr_t bottom = stack_bottom();
    const auto here = reinterpret_cast<std::uintptr_t>(__builtin_frame_address(0));
    if (bottom != 0 && here - bottom < kReserveBytes) luaL_error(state, "C stack overflow");
}

void guard_callbacks(lua_State* state) {
    // Environments copy this table, and ("x"):gsub finds it as the strings' metatable.
    lua_getfield(state, LUA_GLOBALSINDEX, "string");
    lua_getfield(state, -1, "gsub");
    lua_pushcclosure(state, guarded, 1);
    lua_setfield(state, -2, "gsub");
    lua_pop(state, 1);
}

}  // namespace moonwire::script
