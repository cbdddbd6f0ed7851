#include "core/script/raw_json.hpp"

#include <lua.hpp>
#include <new>

#include "core/script/json_decode.hpp"
#include "core/script/registry.hpp"
#include "core/script/values.hpp"
#include "core/script/vm.hpp"

namespace moonwire::script {
namespace {

constexpr std::size_t kMaxElements = 200;

std::size_t weight(const RawJson& raw) {
    std::size_t bytes = raw.json.size();
    for (const SharedBytes& attachment : raw.attachments) bytes += attachment.size();
    return bytes;
}

const RawJson& check_raw(lua_State* state) {
    const RawJson* raw = to_raw(state, 1);
    if (!raw) luaL_argerror(state, 1, "raw JSON expected (call with ':')");
    return *raw;
}

int collect_raw(lua_State* state) {
    auto* raw = static_cast<RawJson*>(lua_touserdata(state, 1));
    Vm::of(state).release(weight(*raw));
    raw->~RawJson();
    return 0;
}

int decode_raw(lua_State* state) {
    const RawJson& raw = check_raw(state);
    // It was valid when it came; only memory can run out here.
    if (auto done = decode_json(state, raw.json, raw.attachments); !done)
        return luaL_error(state, "%s", done.error().message.c_str());
    return 1;
}

int index_raw(lua_State* state) {
    lua_pushvalue(state, 2);
    lua_rawget(state, lua_upvalueindex(1));
    if (!lua_isnil(state, -1)) return 1;
    return luaL_error(state, "raw JSON has no field '%s'; :decode() opens it",
                      lua_isstring(state, 2) ? lua_tostring(state, 2) : luaL_typename(state, 2));
}

int raw_length(lua_State* state) {
    lua_pushnumber(state, static_cast<lua_Number>(check_raw(state).json.size()));
    return 1;
}

int raw_to_string(lua_State* state) {
    lua_pushfstring(state, "raw(%d)", static_cast<int>(check_raw(state).json.size()));
    return 1;
}

void push_raw(lua_State* state, std::string_view json, std::span<const SharedBytes> attachments) {
    // Empty at first: when the charge is refused, the collector finds a userdata that owes nothing.
    auto* held = ::new (lua_newuserdata(state, sizeof(RawJson))) RawJson();
    lua_rawgeti(state, LUA_REGISTRYINDEX, kRawMetatableKey);
    lua_setmetatable(state, -2);
    RawJson raw{std::string(json), {attachments.begin(), attachments.end()}};
    Vm::of(state).charge(state, weight(raw));
    *held = std::move(raw);
}

/// The elements of a valid array, without the blanks around them.
std::vector<std::string_view> elements_of(std::string_view array) {
    constexpr std::string_view kBlanks = " \t\r\n";
    std::vector<std::string_view> elements;
    const auto add = [&](std::size_t from, std::size_t to) {
        const std::string_view text = array.substr(from, to - from);
        const std::size_t first = text.find_first_not_of(kBlanks);
        if (first == text.npos) return;  // an empty array
        elements.push_back(text.substr(first, text.find_last_not_of(kBlanks) - first + 1));
    };
    const std::size_t open = array.find('[');
    std::size_t start = open + 1;
    int depth = 0;
    for (std::size_t i = open; i < array.size(); ++i) {
        const char c = array[i];
        if (c == '"') {
            for (++i; array[i] != '"'; ++i)
                if (array[i] == '\\') ++i;
        } else if (c == '[' || c == '{') {
            ++depth;
        } else if ((c == ']' || c == '}') && --depth == 0) {
            add(start, i);
            break;
        } else if (c == ',' && depth == 1) {
            add(start, i);
            start = i + 1;
        }
    }
    return elements;
}

}  // namespace

Result<int> decode_raw_arguments(lua_State* state, std::string_view json,
                                 std::span<const SharedBytes> attachments, int skip,
                                 RawArguments raw) {
    if (!is_valid_json(json)) return Error{"invalid JSON"};
    const int top = lua_gettop(state);
    if (!attachments.empty()) {
        // A placeholder for no attachment would end its receivers' connections.
        auto decoded = decode_json_array(state, json, attachments, skip);
        if (!decoded) return decoded;
        lua_settop(state, top);
    }
    const std::vector<std::string_view> elements = elements_of(json);
    if (elements.size() > kMaxElements) return Error{"too many arguments"};
    luaL_checkstack(state, static_cast<int>(elements.size()) + 4, "too many arguments");
    for (std::size_t i = static_cast<std::size_t>(skip); i < elements.size(); ++i) {
        const std::size_t argument = i - static_cast<std::size_t>(skip);
        if (argument < kMaxRawArguments && (raw >> argument & 1)) {
            push_raw(state, elements[i], attachments);
        } else if (auto done = decode_json(state, elements[i], attachments); !done) {
            lua_settop(state, top);
            return done.error();
        }
    }
    return lua_gettop(state) - top;
}

const RawJson* to_raw(lua_State* state, int index) {
    if (lua_type(state, index) != LUA_TUSERDATA || !has_metatable(state, index, kRawMetatableKey))
        return nullptr;
    return static_cast<const RawJson*>(lua_touserdata(state, index));
}

void register_raw(lua_State* state) {
    lua_createtable(state, 0, 5);
    lua_createtable(state, 0, 1);
    lua_pushcfunction(state, decode_raw);
    lua_setfield(state, -2, "decode");
    lua_pushcclosure(state, index_raw, 1);
    lua_setfield(state, -2, "__index");
    const luaL_Reg methods[] = {{"__gc", collect_raw},
                                {"__len", raw_length},
                                {"__tostring", raw_to_string},
                                {nullptr, nullptr}};
    luaL_register(state, nullptr, methods);
    lua_pushliteral(state, "raw");
    lua_setfield(state, -2, "__metatable");
    lua_rawseti(state, LUA_REGISTRYINDEX, kRawMetatableKey);
}

}  // namespace moonwire::script
