#include "core/script/string_functions.hpp"

#include <algorithm>
#include <cstddef>
#include <cstring>
#include <lua.hpp>
#include <string_view>

#include "core/script/pattern.hpp"
#include "core/script/vm.hpp"

namespace moonwire::script {
namespace {

/// For one call, whatever its subject's length: some 100 ms, where the watchdog is not at hand.
constexpr std::int64_t kMaxSteps = 30'000'000;

std::string_view check_string(lua_State* state, int index) {
    std::size_t length = 0;
    const char* text = luaL_checklstring(state, index, &length);
    return {text, length};
}

bool take_anchor(std::string_view& pattern) {
    if (pattern.empty() || pattern[0] != '^') return false;
    pattern.remove_prefix(1);
    return true;
}

void raise_problem(lua_State* state, const PatternMatch& match) {
    if (match.problem()) luaL_error(state, "%s", match.problem());
}

/// Capture `i`, or the whole match where a pattern has none.
void push_capture(lua_State* state, const PatternMatch& match, std::string_view subject, int i,
                  const char* begin, const char* end) {
    if (i >= match.captures()) {
        if (i != 0) luaL_error(state, "invalid capture index");
        lua_pushlstring(state, begin, static_cast<std::size_t>(end - begin));
        return;
    }
    const PatternMatch::Capture& capture = match.capture(i);
    if (capture.length == PatternMatch::kUnfinished) luaL_error(state, "unfinished capture");
    if (capture.length == PatternMatch::kPosition)
        lua_pushnumber(state, static_cast<lua_Number>(capture.begin - subject.data() + 1));
    else lua_pushlstring(state, capture.begin, static_cast<std::size_t>(capture.length));
}

/// All captures; `begin` null: no whole match in their place.
int push_captures(lua_State* state, const PatternMatch& match, std::string_view subject,
                  const char* begin, const char* end) {
    const int count = match.captures() == 0 && begin ? 1 : match.captures();
    luaL_checkstack(state, count + 2, "too many captures");
    for (int i = 0; i < count; ++i) push_capture(state, match, subject, i, begin, end);
    return count;
}

int find_or_match(lua_State* state, bool find) {
    const std::string_view subject = check_string(state, 1);
    std::string_view pattern = check_string(state, 2);
    auto start = static_cast<std::ptrdiff_t>(luaL_optinteger(state, 3, 1));
    const auto size = static_cast<std::ptrdiff_t>(subject.size());
    start = start < 0 ? std::max<std::ptrdiff_t>(start + size, 0)
                      : std::max<std::ptrdiff_t>(start - 1, 0);
    start = std::min(start, size);
    const char* at = subject.data() + start;
    const char* const end = subject.data() + size;

    if (find && (lua_toboolean(state, 4) || pattern.find_first_of("^$*+?.([%-") == pattern.npos)) {
        // memmem is linear, unlike Lua's search.
        const void* found =
            memmem(at, static_cast<std::size_t>(end - at), pattern.data(), pattern.size());
        if (!found) {
            lua_pushnil(state);
            return 1;
        }
        const auto first = static_cast<const char*>(found) - subject.data();
        lua_pushnumber(state, static_cast<lua_Number>(first + 1));
        lua_pushnumber(
            state, static_cast<lua_Number>(first + static_cast<std::ptrdiff_t>(pattern.size())));
        return 2;
    }

    const bool anchored = take_anchor(pattern);
    MatchBudget budget{kMaxSteps, state};
    PatternMatch match(subject, pattern, budget);
    for (; at <= end; ++at) {
        const char* matched = match.match(at);
        raise_problem(state, match);
        if (matched) {
            if (!find) return push_captures(state, match, subject, at, matched);
            lua_pushnumber(state, static_cast<lua_Number>(at - subject.data() + 1));
            lua_pushnumber(state, static_cast<lua_Number>(matched - subject.data()));
            return 2 + push_captures(state, match, subject, nullptr, nullptr);
        }
        if (anchored) break;
    }
    lua_pushnil(state);
    return 1;
}

int string_find(lua_State* state) { return find_or_match(state, true); }
int string_match(lua_State* state) { return find_or_match(state, false); }

/// The iterator of gmatch; upvalues: subject, pattern, offset of the next try.
int next_match(lua_State* state) {
    const std::string_view subject = check_string(state, lua_upvalueindex(1));
    const std::string_view pattern = check_string(state, lua_upvalueindex(2));
    const auto offset = static_cast<std::size_t>(lua_tonumber(state, lua_upvalueindex(3)));
    MatchBudget budget{kMaxSteps, state};
    PatternMatch match(subject, pattern, budget);
    const char* const end = subject.data() + subject.size();
    for (const char* at = subject.data() + std::min(offset, subject.size() + 1); at <= end; ++at) {
        const char* matched = match.match(at);
        raise_problem(state, match);
        if (!matched) continue;
        // An empty match must not be found again.
        const auto next = matched - subject.data() + (matched == at ? 1 : 0);
        lua_pushnumber(state, static_cast<lua_Number>(next));
        lua_replace(state, lua_upvalueindex(3));
        return push_captures(state, match, subject, at, matched);
    }
    return 0;
}

int string_gmatch(lua_State* state) {
    check_string(state, 1);
    check_string(state, 2);
    lua_settop(state, 2);
    lua_pushnumber(state, 0);
    lua_pushcclosure(state, next_match, 3);
    return 1;
}

/// "%1" and its like in gsub's replacement text.
void add_replacement_text(lua_State* state, luaL_Buffer& out, const PatternMatch& match,
                          std::string_view subject, const char* begin, const char* end) {
    std::size_t length = 0;
    const char* text = lua_tolstring(state, 3, &length);
    for (std::size_t i = 0; i < length; ++i) {
        if (text[i] != '%') {
            luaL_addchar(&out, text[i]);
            continue;
        }
        const char c = ++i < length ? text[i] : '\0';
        if (c < '0' || c > '9') {
            luaL_addchar(&out, c);
        } else if (c == '0') {
            luaL_addlstring(&out, begin, static_cast<std::size_t>(end - begin));
        } else {
            push_capture(state, match, subject, c - '1', begin, end);
            luaL_addvalue(&out);
        }
    }
}

void add_replacement(lua_State* state, luaL_Buffer& out, const PatternMatch& match,
                     std::string_view subject, const char* begin, const char* end) {
    switch (lua_type(state, 3)) {
        case LUA_TFUNCTION: {
            lua_pushvalue(state, 3);
            lua_call(state, push_captures(state, match, subject, begin, end), 1);
            break;
        }
        case LUA_TTABLE:
            push_capture(state, match, subject, 0, begin, end);
            lua_gettable(state, 3);
            break;
        default: add_replacement_text(state, out, match, subject, begin, end); return;
    }
    if (!lua_toboolean(state, -1)) {
        lua_pop(state, 1);
        lua_pushlstring(state, begin, static_cast<std::size_t>(end - begin));
    } else if (!lua_isstring(state, -1)) {
        luaL_error(state, "invalid replacement value (a %s)", luaL_typename(state, -1));
    }
    luaL_addvalue(&out);
}

int string_gsub(lua_State* state) {
    const std::string_view subject = check_string(state, 1);
    std::string_view pattern = check_string(state, 2);
    const int type = lua_type(state, 3);
    if (type != LUA_TNUMBER && type != LUA_TSTRING && type != LUA_TFUNCTION && type != LUA_TTABLE)
        luaL_argerror(state, 3, "string/function/table expected");
    const auto limit = static_cast<std::ptrdiff_t>(
        luaL_optinteger(state, 4, static_cast<lua_Integer>(subject.size() + 1)));
    const bool anchored = take_anchor(pattern);

    MatchBudget budget{kMaxSteps, state};
    PatternMatch match(subject, pattern, budget);
    const Vm::Nesting nesting(state);
    luaL_Buffer out;
    luaL_buffinit(state, &out);
    const char* at = subject.data();
    const char* const end = at + subject.size();
    std::ptrdiff_t count = 0;
    while (count < limit) {
        const char* matched = match.match(at);
        raise_problem(state, match);
        if (matched) {
            ++count;
            add_replacement(state, out, match, subject, at, matched);
        }
        if (matched && matched > at) at = matched;
        else if (at < end) luaL_addchar(&out, *at++);
        else break;
        if (anchored) break;
    }
    luaL_addlstring(&out, at, static_cast<std::size_t>(end - at));
    luaL_pushresult(&out);
    lua_pushnumber(state, static_cast<lua_Number>(count));
    return 2;
}

}  // namespace

void install_bounded_patterns(lua_State* state) {
    const luaL_Reg functions[] = {{"find", string_find},
                                  {"match", string_match},
                                  {"gmatch", string_gmatch},
                                  {"gsub", string_gsub},
                                  {nullptr, nullptr}};
    luaL_register(state, nullptr, functions);
}

}  // namespace moonwire::script
