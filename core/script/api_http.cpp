#include <algorithm>
#include <cctype>

#include "core/script/api.hpp"
#include "core/script/http_client.hpp"
#include "core/script/json_decode.hpp"
#include "core/script/namespace_vm.hpp"
#include "core/script/route_call.hpp"

namespace moonwire::script {
namespace {

constexpr std::string_view kMethods[] = {"GET",   "HEAD",   "POST",   "PUT",
                                         "PATCH", "DELETE", "OPTIONS"};
// What says where a message ends or whom it is for is the client's own to write.
constexpr std::string_view kOwnHeaders[] = {
    "connection", "content-length", "expect",  "host",   "keep-alive", "proxy-connection",
    "te",         "trailer",        "upgrade", "transfer-encoding"};

template <std::size_t N>
bool is_one_of(const std::string_view (&list)[N], std::string_view text) {
    return std::find(std::begin(list), std::end(list), text) != std::end(list);
}

bool has_header(const OutgoingRequest& request, std::string_view name) {
    return std::any_of(request.headers.begin(), request.headers.end(),
                       [&](const auto& each) { return each.first == name; });
}

void read_method(lua_State* state, int index, OutgoingRequest& request) {
    request.method = text_at(state, index);
    for (char& c : request.method)
        c = static_cast<char>(std::toupper(static_cast<unsigned char>(c)));
    if (!is_one_of(kMethods, request.method))
        luaL_error(state, "http.request: the method must be GET, HEAD, POST, PUT, PATCH, DELETE "
                          "or OPTIONS");
}

void read_request_headers(lua_State* state, int index, OutgoingRequest& request) {
    if (auto read = read_headers(state, index, request.headers); !read)
        luaL_error(state, "http.request: %s", read.error().message.c_str());
    for (const auto& [name, value] : request.headers)
        if (is_one_of(kOwnHeaders, name))
            luaL_error(state, "http.request: the header '%s' is set by the client itself",
                       name.c_str());
}

void read_body(lua_State* state, int index, OutgoingRequest& request) {
    if (const SharedBytes* bytes = to_bytes(state, index)) request.body = bytes->view();
    else if (lua_type(state, index) == LUA_TSTRING) request.body = text_at(state, index);
    else
        luaL_error(state,
                   "http.request: the body must be a string or bytes, not a %s (json = … encodes "
                   "a value)",
                   luaL_typename(state, index));
}

void encode_body(lua_State* state, int index, OutgoingRequest& request) {
    Encoded& encoded = Runtime::of(state).encoded;
    encoded.clear();
    if (auto done = encode_json(state, index, encoded, BinaryValues::refused, "json"); !done)
        luaL_error(state, "http.request: %s", done.error().message.c_str());
    request.body = encoded.json;
}

/// Reads the table at 1; raises for whatever is wrong with it but the URL itself.
OutgoingRequest read_request(lua_State* state) {
    luaL_checktype(state, 1, LUA_TTABLE);
    OutgoingRequest request;
    bool has_method = false, has_body = false, has_json = false;
    lua_pushnil(state);
    while (lua_next(state, 1)) {
        const std::string_view name = text_at(state, -2);
        const int value = lua_gettop(state);
        if (name == "url") {
            request.url = text_at(state, value);
        } else if (name == "method") {
            read_method(state, value, request);
            has_method = true;
        } else if (name == "headers") {
            read_request_headers(state, value, request);
        } else if (name == "body") {
            read_body(state, value, request);
            has_body = true;
        } else if (name == "json") {
            encode_body(state, value, request);
            has_json = true;
        } else if (name == "timeout") {
            request.timeout = check_seconds(state, value);
        } else {
            luaL_error(state, "http.request has no field '%s'",
                       name.empty() ? luaL_typename(state, -2) : lua_tostring(state, -2));
        }
        lua_settop(state, value - 1);
    }
    if (request.url.empty()) luaL_error(state, "http.request: url must be a string");
    if (has_body && has_json) luaL_error(state, "http.request takes body or json, not both");
    if (!has_method && (has_body || has_json)) request.method = "POST";
    if (has_json && !has_header(request, "content-type"))
        request.headers.emplace_back("content-type", "application/json");
    return request;
}

/// Sets a header in the table on top. As in Node: set-cookie is a list, others of one name are
/// joined.
void add_header(lua_State* state, const std::string& name, const std::string& value) {
    push_string(state, name);
    lua_pushvalue(state, -1);
    lua_rawget(state, -3);
    if (name == "set-cookie") {
        if (lua_isnil(state, -1)) {
            lua_pop(state, 1);
            lua_newtable(state);
            mark_array(state, lua_gettop(state));
        }
        push_string(state, value);
        lua_rawseti(state, -2, static_cast<int>(lua_objlen(state, -2)) + 1);
    } else if (lua_isnil(state, -1)) {
        lua_pop(state, 1);
        push_string(state, value);
    } else {
        lua_pushliteral(state, ", ");
        push_string(state, value);
        lua_concat(state, 3);
    }
    lua_rawset(state, -3);
}

int push_response(lua_State* state, const Result<IncomingResponse>& result) {
    if (!result) {
        lua_pushnil(state);
        push_string(state, result.error().message);
        return 2;
    }
    const IncomingResponse& response = *result;
    lua_createtable(state, 0, 4);
    lua_pushinteger(state, static_cast<int>(response.status));
    lua_setfield(state, -2, "status");
    lua_newtable(state);
    for (const auto& [name, value] : response.headers) add_header(state, name, value);
    lua_setfield(state, -2, "headers");
    push_string(state, response.body);
    lua_setfield(state, -2, "body");
    // A body that only claims to be JSON has no .json; .body is there all the same.
    if (has_json_type(response.headers) && decode_json(state, response.body))
        lua_setfield(state, -2, "json");
    return 1;
}

/// `http.request { url = … }`: a response; or nil and why there is none.
int lua_http_request(lua_State* state) {
    Runtime& runtime = Runtime::of(state);
    runtime.refuse_while_loading(state, "http.request");
    OutgoingRequest request = read_request(state);
    HttpClient* client = runtime.owner->directory().http();
    if (!client) {
        lua_pushnil(state);
        lua_pushliteral(state, "http.request is not available here");
        return 2;
    }
    const WaitId wait = runtime.scheduler->begin_wait(state, "http.request");
    client->request(std::move(request), runtime.scheduler->home(),
                    [weak = std::weak_ptr(runtime.scheduler),
                     wait](Result<IncomingResponse> result) {
                        const auto scheduler = weak.lock();
                        if (!scheduler) return;
                        scheduler->end(wait, [result = std::move(result)](lua_State* L) {
                            return push_response(L, result);
                        });
                    });
    return lua_yield(state, 0);
}

}  // namespace

void install_http(lua_State* state) {
    const luaL_Reg functions[] = {{"request", lua_http_request}, {nullptr, nullptr}};
    lua_createtable(state, 0, 1);
    install_functions(state, -1, functions);
    lua_setfield(state, 1, "http");
}

}  // namespace moonwire::script
