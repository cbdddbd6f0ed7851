#pragma once

#include <lua.hpp>
#include <new>
#include <string_view>
#include <utility>

#include "core/script/values.hpp"
#include "core/script/vm.hpp"

namespace moonwire::script {

/// Registry keys of the API's own values (below those of registry.hpp).
enum ApiKey : int {
    kFailureMetatableKey = -900,
    kGenerationMetatableKey,
    kNamespaceMetatableKey,
    kChainMetatableKey,
    kSocketMetatableKey,
    kRemoteSocketMetatableKey,
    kTimerMetatableKey,
    kEnvironmentMetatableKey,
    kNoAckKey,       // the sentinel `noack`
    kHandshakesKey,  // socket -> its handshake table, both weak
    kRoomChainsKey,  // room -> `ns:to(room)` of the namespace, weak: chains are immutable
    kPreludeKey,     // the functions of prelude.hpp
    kStoreMetatableKey,
    kStoreKey,       // `ns.store`
    kTestBenchKey,   // of `moonwire test`, as a light userdata
    kTestClientMetatableKey,
    kTestReplyMetatableKey,
    kPluginFunctionMetatableKey,
    kPluginAnswerMetatableKey,
    kCounterMetatableKey,
    kGaugeMetatableKey,
    kHistogramMetatableKey,
};

inline void push_string(lua_State* state, std::string_view text) {
    lua_pushlstring(state, text.data(), text.size());
}

/// The string (or number, as its text) argument at `index`; raises for anything else. Valid while
/// the value stays on the stack.
inline std::string_view check_text(lua_State* state, int index) {
    std::size_t length = 0;
    const char* text = luaL_checklstring(state, index, &length);
    return {text, length};
}

/// The string at `index`, or empty: for error values and optional texts. Never raises for strings.
inline std::string_view text_at(lua_State* state, int index) {
    if (lua_type(state, index) != LUA_TSTRING) return {};
    std::size_t length = 0;
    const char* text = lua_tolstring(state, index, &length);
    return {text, length};
}

/// Pushes the field of the table on top, raw; nil if that is none. Protected.
inline void push_field(lua_State* state, const char* name) {
    if (!lua_istable(state, -1)) return lua_pushnil(state);
    lua_pushstring(state, name);
    lua_rawget(state, -2);
}

/// luaL_error with the position of the function `level` calls up.
inline void raise_at(lua_State* state, int level, const char* format, const char* text) {
    luaL_where(state, level);
    lua_pushfstring(state, format, text);
    lua_concat(state, 2);
    lua_error(state);
}

/// A value kept in the registry while this lives. Move-only; the Lua state must outlive it.
class LuaRef {
public:
    LuaRef() noexcept = default;
    /// Pops the value on top. Protected: keeping it may need memory.
    static LuaRef pop(lua_State* state) {
        LuaRef made;
        made.reference_ = luaL_ref(state, LUA_REGISTRYINDEX);
        made.state_ = Vm::of(state).state();
        return made;
    }
    LuaRef(LuaRef&& other) noexcept
        : state_(std::exchange(other.state_, nullptr)), reference_(other.reference_) {}
    LuaRef& operator=(LuaRef&& other) noexcept {
        std::swap(state_, other.state_);
        std::swap(reference_, other.reference_);
        return *this;
    }
    ~LuaRef() { reset(); }

    void reset() noexcept {
        if (state_) luaL_unref(std::exchange(state_, nullptr), LUA_REGISTRYINDEX, reference_);
    }
    explicit operator bool() const noexcept { return state_ != nullptr; }
    /// Needs one free stack slot; raises nothing.
    void push(lua_State* state) const { lua_rawgeti(state, LUA_REGISTRYINDEX, reference_); }

private:
    lua_State* state_ = nullptr;
    int reference_ = LUA_NOREF;
};

/// Makes a userdata that owns a T, with the metatable that the registry keeps under `key`.
template <typename T, typename... Args>
T& push_object(lua_State* state, int key, Args&&... args) {
    void* memory = lua_newuserdata(state, sizeof(T));
    T* object = ::new (memory) T{std::forward<Args>(args)...};
    lua_rawgeti(state, LUA_REGISTRYINDEX, key);
    lua_setmetatable(state, -2);
    return *object;
}

/// The T at `index`, or null if the value is something else. Raises nothing.
template <typename T>
T* to_object(lua_State* state, int index, int key) {
    if (lua_type(state, index) != LUA_TUSERDATA || !has_metatable(state, index, key))
        return nullptr;
    return static_cast<T*>(lua_touserdata(state, index));
}

template <typename T>
int collect_object(lua_State* state) {
    static_cast<T*>(lua_touserdata(state, 1))->~T();
    return 0;
}

/// A field that an object's __index computes, by its number in `members`.
struct FieldName {
    const char* name;
    int number;
};

}  // namespace moonwire::script
