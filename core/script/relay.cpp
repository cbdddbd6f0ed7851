#include "core/script/relay.hpp"

#include <algorithm>
#include <cmath>
#include <iterator>
#include <lua.hpp>

#include "core/base/json_text.hpp"
#include "core/script/lua_tools.hpp"
#include "core/script/near_name.hpp"
#include "core/socketio/packet.hpp"

namespace moonwire::script {
namespace {

constexpr std::string_view kOptions[] = {"to",    "as",   "volatile", "compress", "except_sender",
                                         "rate",  "role", "roles",    "schema",   "to_namespace"};
constexpr std::size_t kMaxRooms = 100;

[[noreturn]] void refuse(lua_State* state, const char* option, const char* expected) {
    luaL_error(state, "ns:relay: option '%s' must be %s", option, expected);
    std::abort();  // luaL_error does not return
}

bool read_boolean(lua_State* state, const char* option) {
    if (!lua_isboolean(state, -1)) refuse(state, option, "true or false");
    return lua_toboolean(state, -1);
}

std::string read_text(lua_State* state, const char* option, const char* expected) {
    const std::string_view text = text_at(state, -1);
    if (text.empty()) refuse(state, option, expected);
    return std::string(text);
}

/// The string on top, or the strings in the list there.
std::vector<std::string> read_texts(lua_State* state, const char* option, const char* expected) {
    if (!lua_istable(state, -1)) return {read_text(state, option, expected)};
    std::vector<std::string> texts;
    const std::size_t count = lua_objlen(state, -1);
    if (count == 0 || count > kMaxRooms) refuse(state, option, expected);
    for (std::size_t i = 1; i <= count; ++i) {
        lua_rawgeti(state, -1, static_cast<int>(i));
        texts.push_back(read_text(state, option, expected));
        lua_pop(state, 1);
    }
    return texts;
}

Rate read_rate(lua_State* state) {
    constexpr const char* kExpected =
        "{count, seconds}: at most so many events (1 or more) in so many seconds (more than 0)";
    if (!lua_istable(state, -1) || lua_objlen(state, -1) != 2) refuse(state, "rate", kExpected);
    lua_rawgeti(state, -1, 1);
    lua_rawgeti(state, -2, 2);
    const double count = lua_tonumber(state, -2), seconds = lua_tonumber(state, -1);
    if (!(count >= 1 && std::isfinite(count) && seconds > 0 && std::isfinite(seconds)))
        refuse(state, "rate", kExpected);
    lua_pop(state, 2);
    return Rate(count, seconds);
}

void read_option(lua_State* state, std::string_view name, Relay& relay) {
    constexpr const char* kRooms = "a room or a list of at most 100";
    constexpr const char* kRoles = "a role or a list of them";
    if (name == "to") {
        for (const std::string& text : read_texts(state, "to", kRooms)) {
            auto room = RoomTemplate::parse(text, relay.fields);
            if (!room) refuse(state, "to", room.error().message.c_str());
            relay.rooms.push_back(*std::move(room));
        }
    } else if (name == "as") {
        relay.as = read_text(state, "as", "an event's name");
        if (socketio::is_reserved_event(relay.as))
            luaL_error(state, "'%s' is the protocol's own event", relay.as.c_str());
    } else if (name == "to_namespace") {
        relay.to_namespace = read_text(state, "to_namespace", "a namespace");
        if (!relay.to_namespace.starts_with('/'))
            refuse(state, "to_namespace", "a namespace, which starts with '/'");
    } else if (name == "volatile") {
        relay.send.is_volatile = read_boolean(state, "volatile");
    } else if (name == "compress") {
        relay.send.compress = read_boolean(state, "compress");
    } else if (name == "except_sender") {
        relay.except_sender = read_boolean(state, "except_sender");
    } else if (name == "rate") {
        relay.rate = read_rate(state);
    } else if (name == "role" || name == "roles") {
        for (std::string& role : read_texts(state, name == "role" ? "role" : "roles", kRoles))
            relay.roles.push_back(std::move(role));
    }
}

}  // namespace

Result<RoomTemplate> RoomTemplate::parse(std::string_view text, std::vector<std::string>& fields) {
    RoomTemplate made;
    while (!text.empty()) {
        const std::size_t open = text.find('{');
        Piece piece{std::string(text.substr(0, open)), {}};
        text.remove_prefix(std::min(open, text.size()));
        if (!text.empty()) {
            const std::size_t close = text.find('}');
            if (close == text.npos || close == 1)
                return Error{"a room whose '{' is followed by a field's name and '}'"};
            const std::string field(text.substr(1, close - 1));
            const auto known = std::find(fields.begin(), fields.end(), field);
            piece.field = static_cast<std::size_t>(known - fields.begin());
            if (known == fields.end()) fields.push_back(field);
            text.remove_prefix(close + 1);
        }
        made.pieces_.push_back(std::move(piece));
    }
    return made;
}

std::string RoomTemplate::name(const std::vector<std::optional<std::string>>& values) const {
    std::string name;
    for (const Piece& piece : pieces_) {
        name += piece.text;
        if (piece.field) name += values[*piece.field].value_or("");
    }
    return name;
}

Relay read_relay(lua_State* state, int index) {
    Relay relay;
    if (lua_isnoneornil(state, index)) return relay;
    luaL_checktype(state, index, LUA_TTABLE);
    lua_pushnil(state);
    while (lua_next(state, index)) {
        const std::string_view name = text_at(state, -2);
        if (std::find(std::begin(kOptions), std::end(kOptions), name) == std::end(kOptions)) {
            if (name.empty()) luaL_error(state, "ns:relay: options have names");
            luaL_error(state, "ns:relay: unknown option '%s'%s", lua_tostring(state, -2),
                       suggest(name, kOptions).c_str());
        }
        read_option(state, name, relay);
        lua_pop(state, 1);
    }
    return relay;
}

void rename_event(std::string& out, std::string_view json, std::string_view name) {
    std::size_t at = json.find_first_not_of(" \t\r\n", 1);
    if (json[at] == '"') {
        for (++at; json[at] != '"'; ++at)
            if (json[at] == '\\') ++at;
        ++at;
    } else {
        at = json.find_first_of(" \t\r\n,]", at);
    }
    out += '[';
    append_json_string(out, name);
    out += json.substr(at);
}

}  // namespace moonwire::script
