#include "core/script/state_copy.hpp"

#include <lua.hpp>

#include "core/script/lua_tools.hpp"

namespace moonwire::script {
namespace {

/// Deeper is refused rather than risking the C stack.
constexpr int kMaxDepth = 100;

class Copier {
public:
    Copier(lua_State* state, int seen) : state_(state), seen_(seen) {}

    /// Pushes the copy of the value on top, which stays. False: `problem` says why not.
    bool copy(int depth) {
        luaL_checkstack(state_, 8, "ns.state");
        switch (lua_type(state_, -1)) {
            case LUA_TSTRING:
            case LUA_TNUMBER:
            case LUA_TBOOLEAN: lua_pushvalue(state_, -1); return true;
            case LUA_TTABLE: return copy_table(depth);
            default: break;
        }
        if (!is_null(state_, lua_gettop(state_)) && !to_bytes(state_, lua_gettop(state_)))
            return refuse(std::string("a ") + luaL_typename(state_, -1));
        lua_pushvalue(state_, -1);
        return true;
    }

    std::string problem;

private:
    bool refuse(const std::string& what) {
        problem = path_ + ": " + what;
        return false;
    }

    bool copy_table(int depth) {
        if (depth >= kMaxDepth) return refuse("nested too deeply");
        const int from = lua_gettop(state_);
        lua_pushvalue(state_, from);
        lua_rawget(state_, seen_);
        if (!lua_isnil(state_, -1)) return true;
        lua_pop(state_, 1);
        const bool array = is_marked_array(state_, from);
        if (!array && lua_getmetatable(state_, from)) return refuse("a table with a metatable");
        lua_newtable(state_);
        if (array) mark_array(state_, -1);
        const int to = lua_gettop(state_);
        lua_pushvalue(state_, from);
        lua_pushvalue(state_, to);
        lua_rawset(state_, seen_);
        lua_pushnil(state_);
        while (lua_next(state_, from)) {
            const std::size_t outer = path_.size();
            append_key();
            if (lua_type(state_, -2) != LUA_TSTRING && lua_type(state_, -2) != LUA_TNUMBER &&
                lua_type(state_, -2) != LUA_TBOOLEAN)
                return refuse(std::string("a key that is a ") + luaL_typename(state_, -2));
            if (!copy(depth + 1)) return false;
            path_.resize(outer);
            lua_remove(state_, -2);
            lua_pushvalue(state_, -2);
            lua_insert(state_, -2);
            lua_rawset(state_, to);
        }
        return true;
    }

    /// Adds the key under the value on top to the path.
    void append_key() {
        path_ += '.';
        if (lua_type(state_, -2) == LUA_TNUMBER) {
            lua_pushvalue(state_, -2);
            path_ += lua_tostring(state_, -1);
            lua_pop(state_, 1);
        } else {
            path_ += text_at(state_, -2);
        }
    }

    lua_State* state_;
    const int seen_;
    std::string path_ = "$";
};

}  // namespace

std::optional<std::string> push_plain_copy(lua_State* state, int index) {
    const int base = lua_gettop(state);
    if (index < 0) index += base + 1;
    lua_newtable(state);
    Copier copier(state, base + 1);
    lua_pushvalue(state, index);
    if (!copier.copy(0)) {
        lua_settop(state, base);
        return copier.problem;
    }
    lua_replace(state, base + 1);
    lua_settop(state, base + 1);
    return std::nullopt;
}

}  // namespace moonwire::script
