#include "core/script/failure.hpp"

#include <lua.hpp>

#include "core/base/json_text.hpp"
#include "core/script/json_encode.hpp"
#include "core/script/lua_tools.hpp"
#include "core/script/runtime.hpp"
#include "core/script/scheduler.hpp"

namespace moonwire::script {
namespace {

constexpr std::chrono::milliseconds kDescribeBudget{100};

bool is_failure(lua_State* state, int index) {
    return lua_istable(state, index) && has_metatable(state, index, kFailureMetatableKey);
}

int failure_to_string(lua_State* state) {
    luaL_checktype(state, 1, LUA_TTABLE);
    lua_pushliteral(state, "message");
    lua_rawget(state, 1);
    lua_pushliteral(state, "code");
    lua_rawget(state, 1);
    if (lua_isstring(state, -1) && lua_isstring(state, -2)) {
        lua_pushfstring(state, "%s: %s", lua_tostring(state, -1), lua_tostring(state, -2));
    } else {
        lua_pushvalue(state, -2);
    }
    return 1;
}

/// `member` of the table on top of `thread`, if it is a string. The name is made on `state`, where
/// running out of memory is caught.
std::string text_member(lua_State* state, const char* member) {
    lua_pushstring(state, member);
    lua_rawget(state, -2);
    std::string text(text_at(state, -1));
    lua_pop(state, 1);
    return text;
}

/// Adds "code" to an encoded object, or wraps what is none: CONNECT_ERROR has room for data only.
std::string data_with_code(const std::string& code, const std::string& data) {
    const std::string member = "\"code\":" + json_string(code);
    if (data.empty()) return "{" + member + "}";
    if (data == "{}") return "{" + member + "}";
    if (data.front() != '{') return "{" + member + ",\"data\":" + data + "}";
    return "{" + member + "," + data.substr(1);
}

/// `stack` is "message\nstack traceback:…". An error that was caught on its way here happened
/// elsewhere.
std::string whole_traceback(const std::optional<CaughtError>& caught, const std::string& message,
                            std::string_view stack) {
    if (!caught || caught->message != message) return std::string(stack);
    if (caught->complete) return caught->traceback;
    return caught->traceback + "\nraised again in" + std::string(stack.substr(message.size()));
}

}  // namespace

std::string Failure::client_json() const {
    if (stopped) return R"({"code":"busy","message":"the handler ran too long"})";
    if (is_bug) return R"({"code":"internal","message":"internal error"})";
    std::string json = "{";
    if (!code.empty()) json += "\"code\":" + json_string(code) + ",";
    json += "\"message\":" + json_string(message);
    if (!data_json.empty()) json += ",\"data\":" + data_json;
    return json + "}";
}

socketio::Refusal Failure::refusal() const {
    if (stopped) return {"the handler ran too long", R"({"code":"busy"})", "busy"};
    if (is_bug) return {"internal error", R"({"code":"internal"})", "internal"};
    if (code.empty()) return {message, data_json};
    return {message, data_with_code(code, data_json), code};
}

unsigned Failure::http_status() const {
    static constexpr std::pair<std::string_view, unsigned> kStatuses[] = {
        {"unauthorized", 401}, {"token_expired", 401}, {"forbidden", 403}, {"not_found", 404},
        {"conflict", 409},     {"invalid", 422},       {"busy", 503},      {"unavailable", 503}};
    if (stopped) return 503;
    if (is_bug) return 500;
    for (const auto& [name, status] : kStatuses)
        if (code == name) return status;
    return 400;
}

Failure busy_failure() {
    Failure failure;
    failure.is_bug = false;
    failure.code = "busy";
    failure.message = "too many handlers are waiting";
    return failure;
}

void register_failures(lua_State* state) {
    lua_newtable(state);
    lua_pushcfunction(state, failure_to_string);
    lua_setfield(state, -2, "__tostring");
    lua_pushliteral(state, "failure");
    lua_setfield(state, -2, "__metatable");
    lua_rawseti(state, LUA_REGISTRYINDEX, kFailureMetatableKey);
}

int raise_failure(lua_State* state, const char* code, const char* message, int data_index) {
    lua_createtable(state, 0, 3);
    if (code) {
        lua_pushstring(state, code);
        lua_setfield(state, -2, "code");
    }
    lua_pushstring(state, message);
    lua_setfield(state, -2, "message");
    if (data_index != 0) {
        lua_pushvalue(state, data_index);
        lua_setfield(state, -2, "data");
    }
    lua_rawgeti(state, LUA_REGISTRYINDEX, kFailureMetatableKey);
    lua_setmetatable(state, -2);
    return lua_error(state);
}

int lua_fail(lua_State* state) {
    const char* code = luaL_optstring(state, 1, nullptr);
    const char* message = luaL_optstring(state, 2, code ? code : "failed");
    return raise_failure(state, code, message, lua_isnoneornil(state, 3) ? 0 : 3);
}

int lua_note_error(lua_State* state) {
    lua_settop(state, 1);
    if (lua_type(state, 1) != LUA_TSTRING) return 1;
    const std::string message(text_at(state, 1));
    luaL_traceback(state, state, message.c_str(), 1);
    auto& caught = Runtime::of(state).caught;
    caught = {message, whole_traceback(caught, message, text_at(state, -1)), true};
    lua_settop(state, 1);
    return 1;
}

Failure describe_failure(lua_State* state, const Outcome& outcome) {
    lua_State* const thread = outcome.thread;
    Failure failure;
    failure.stopped = outcome.stopped;
    Encoded data;
    Result<void> encoded;
    // An error's __tostring is a script's code, too.
    RunGuard& guard = Vm::of(state).guard();
    guard.begin(Clock::now(), kDescribeBudget);
    auto described = Vm::protect(state, 0, [&](lua_State* L) {
        luaL_checkstack(L, 4, "error");
        lua_pushvalue(thread, -1);
        lua_xmove(thread, L, 1);
        if (is_failure(L, -1) && !failure.stopped) {
            failure.is_bug = false;
            failure.code = text_member(L, "code");
            failure.message = text_member(L, "message");
            lua_pushliteral(L, "data");
            lua_rawget(L, -2);
            if (!lua_isnil(L, -1))
                encoded = encode_json(L, lua_gettop(L), data, BinaryValues::refused);
            return 0;
        }
        // Numbers are texts too; another value speaks for itself, if at all.
        if (!lua_isstring(L, -1) && !(luaL_callmeta(L, -1, "__tostring") && lua_isstring(L, -1))) {
            lua_pushfstring(L, "(the error is a %s)", luaL_typename(L, -1));
        }
        std::size_t length = 0;
        const char* text = lua_tolstring(L, -1, &length);
        failure.message.assign(text, length);
        luaL_traceback(L, thread, text, 0);
        auto& caught = Runtime::of(L).caught;
        failure.traceback = whole_traceback(caught, failure.message, text_at(L, -1));
        caught.reset();
        return 0;
    });
    guard.end(!described);
    if (described && !encoded) {
        failure.is_bug = true;
        failure.message = "the data of fail(): " + encoded.error().message;
        failure.traceback = failure.message;
    } else {
        failure.data_json = std::move(data.json);
    }
    if (!described) {
        failure.is_bug = true;
        failure.message = described.error().message;
    }
    if (failure.traceback.empty()) failure.traceback = failure.message;
    return failure;
}

}  // namespace moonwire::script
