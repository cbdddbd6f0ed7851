#include <cstdlib>
#include <string>
#include <vector>

#include "core/base/log.hpp"
#include "core/script/api.hpp"
#include "core/script/json_decode.hpp"

namespace moonwire::script {
namespace {

/// Pushes the value at `index` as text, as tostring() would. Protected.
void push_as_text(lua_State* state, int index) {
    if (luaL_callmeta(state, index, "__tostring") && lua_isstring(state, -1)) return;
    switch (lua_type(state, index)) {
        case LUA_TSTRING:
        case LUA_TNUMBER:
            lua_pushvalue(state, index);
            lua_tostring(state, -1);
            break;
        case LUA_TBOOLEAN:
            lua_pushstring(state, lua_toboolean(state, index) ? "true" : "false");
            break;
        case LUA_TNIL: lua_pushliteral(state, "nil"); break;
        default:
            if (is_null(state, index)) lua_pushliteral(state, "null");
            else lua_pushstring(state, luaL_typename(state, index));
    }
}

/// A field's name stands bare in a text line: it must not forge others.
std::string field_name(std::string_view name) {
    std::string safe(name.substr(0, 64));
    for (char& c : safe)
        if (static_cast<unsigned char>(c) <= ' ' || c == '=' || c == '"' || c == 0x7f) c = '_';
    return safe;
}

void add_field(lua_State* state, std::vector<log::Field>& fields, const std::string& name,
               int value) {
    if (lua_type(state, value) != LUA_TSTRING) {
        Encoded encoded;
        if (encode_json(state, value, encoded, BinaryValues::refused)) {
            fields.push_back(log::Field::raw(name, encoded.json));
            return;
        }
    }
    push_as_text(state, value);
    fields.emplace_back(name, text_at(state, -1));
    lua_pop(state, 1);
}

void add_fields(lua_State* state, std::vector<log::Field>& fields, int table) {
    lua_pushnil(state);
    while (lua_next(state, table)) {
        push_as_text(state, lua_gettop(state) - 1);
        const std::string name = field_name(text_at(state, -1));
        lua_pop(state, 1);
        add_field(state, fields, name, lua_gettop(state));
        lua_pop(state, 1);
    }
}

template <log::Level Level>
int lua_log(lua_State* state) {
    if (!log::enabled(Level)) return 0;
    const Generation& generation = generation_of(state);
    std::string message;
    std::vector<log::Field> fields = {{"namespace", generation.nsp()},
                                      {"generation", generation.number()}};
    for (int i = 1, top = lua_gettop(state); i <= top; ++i) {
        if (i > 1 && lua_istable(state, i)) {
            add_fields(state, fields, i);
            continue;
        }
        push_as_text(state, i);
        if (i > 1) message += ' ';
        message += text_at(state, -1);
        lua_pop(state, 1);
    }
    // The traceback that a text line keeps is the host's own: a script's stays on its line.
    for (char& c : message)
        if (c == '\n') c = ' ';
    log::write(Level, message, fields.data(), fields.size());
    return 0;
}

int lua_env(lua_State* state) {
    luaL_checkstring(state, 1);
    lua_settop(state, 2);
    if (const char* value = std::getenv(lua_tostring(state, 1))) lua_pushstring(state, value);
    return 1;
}

int lua_setting(lua_State* state) {
    const std::string_view name = check_text(state, 1);
    lua_settop(state, 2);
    const auto& setting = generation_of(state).app().app.setting;
    std::optional<std::string> json;
    if (setting && *setting) json = (*setting)(name);
    if (!json) return 1;
    if (auto decoded = decode_json(state, *json); !decoded)
        return luaL_error(state, "setting '%s': %s", lua_tostring(state, 1),
                          decoded.error().message.c_str());
    return 1;
}

}  // namespace

void install_logging(lua_State* state) {
    const luaL_Reg functions[] = {{"env", lua_env}, {"setting", lua_setting}, {nullptr, nullptr}};
    install_functions(state, 1, functions);
    const luaL_Reg levels[] = {{"debug", lua_log<log::Level::debug>},
                               {"info", lua_log<log::Level::info>},
                               {"warn", lua_log<log::Level::warn>},
                               {"error", lua_log<log::Level::error>},
                               {nullptr, nullptr}};
    lua_createtable(state, 0, 4);
    install_functions(state, -1, levels);
    lua_setfield(state, 1, "log");
}

}  // namespace moonwire::script
