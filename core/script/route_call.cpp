#include "core/script/route_call.hpp"

#include <algorithm>
#include <cctype>
#include <cmath>

#include "core/base/json_text.hpp"
#include "core/base/url.hpp"
#include "core/script/arguments.hpp"
#include "core/script/json_decode.hpp"
#include "core/script/script_socket.hpp"

namespace moonwire::script {
namespace {

constexpr const char* kJsonType = "application/json";
constexpr const char* kTextType = "text/plain; charset=UTF-8";
constexpr const char* kBytesType = "application/octet-stream";

std::string lower(std::string_view text) {
    std::string lowered(text);
    for (char& c : lowered) c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
    return lowered;
}

/// Names in lower case; several of one name become a list, as HTTP allows.
std::vector<std::pair<std::string, std::string>> joined_headers(const RouteRequest& request) {
    std::vector<std::pair<std::string, std::string>> joined;
    for (const auto& [name, value] : request.headers) {
        const std::string lowered = lower(name);
        const auto same = std::find_if(joined.begin(), joined.end(),
                                       [&](const auto& each) { return each.first == lowered; });
        if (same == joined.end()) joined.emplace_back(lowered, value);
        else same->second += ", " + value;
    }
    return joined;
}

void set_text(lua_State* state, const char* name, std::string_view text) {
    push_string(state, text);
    lua_setfield(state, -2, name);
}

bool is_header_text(std::string_view text) {
    return std::none_of(text.begin(), text.end(), [](char c) {
        const auto byte = static_cast<unsigned char>(c);
        return (byte < 0x20 && c != '\t') || byte == 0x7f;
    });
}

bool is_header_name(std::string_view name) {
    return !name.empty() && std::all_of(name.begin(), name.end(), [](char c) {
        return std::isalnum(static_cast<unsigned char>(c)) ||
               std::string_view("!#$%&'*+-.^_`|~").find(c) != std::string_view::npos;
    });
}

/// Fills in the body; returns its type.
Result<const char*> read_body(lua_State* thread, int index, RouteResponse& response) {
    if (lua_type(thread, index) == LUA_TSTRING) {
        response.body = text_at(thread, index);
        return kTextType;
    }
    if (const SharedBytes* bytes = to_bytes(thread, index)) {
        response.body = bytes->view();
        return kBytesType;
    }
    Encoded encoded;
    if (auto done = encode_json(thread, index, encoded, BinaryValues::refused); !done)
        return Error{done.error().message};
    response.body = std::move(encoded.json);
    return kJsonType;
}

}  // namespace

bool has_json_type(const std::vector<std::pair<std::string, std::string>>& headers) {
    for (const auto& [name, value] : headers) {
        if (name != "content-type") continue;
        const std::string type = lower(value.substr(0, value.find(';')));
        return type.find("/json") != std::string::npos || type.find("+json") != std::string::npos;
    }
    return false;
}

void push_request_line(lua_State* state, const RouteRequest& request) {
    lua_createtable(state, 0, 10);
    set_text(state, "method", request.method);
    set_text(state, "path", request.path);
    set_text(state, "url", request.path + (request.query.empty() ? "" : "?") + request.query);
    set_text(state, "address", request.address);
    lua_pushboolean(state, request.secure);
    lua_setfield(state, -2, "secure");
    push_pairs(state, parse_query(request.query));
    lua_setfield(state, -2, "query");
    push_pairs(state, joined_headers(request));
    lua_setfield(state, -2, "headers");
}

std::optional<Failure> push_request(lua_State* state, const RouteCall& call, bool json_expected) {
    const RouteRequest& request = call.request;
    push_request_line(state, request);
    set_text(state, "body", request.body);
    push_pairs(state, call.params);
    lua_setfield(state, -2, "params");
    const auto headers = joined_headers(request);
    if (request.body.empty() || !(json_expected || has_json_type(headers))) return std::nullopt;
    if (auto decoded = decode_json(state, request.body); !decoded) {
        Failure failure;
        failure.is_bug = false;
        failure.code = "invalid";
        failure.message = "the body is not JSON: " + decoded.error().message;
        return failure;
    }
    lua_setfield(state, -2, "json");
    return std::nullopt;
}

Failure check_body(lua_State* state, const Generation& generation, int slot) {
    const int request = lua_gettop(state);
    lua_createtable(state, 1, 0);
    generation.push(state, slot);
    lua_rawseti(state, -2, 1);
    lua_getfield(state, request, "json");
    Failure failure;
    failure.is_bug = false;
    if (const auto invalid = check_arguments(state, request + 1, false, request + 2)) {
        failure = invalid->failure();
    } else {
        lua_setfield(state, request, "json");
    }
    lua_settop(state, request);
    return failure;
}

Result<RouteResponse> read_response(lua_State* thread, int results) {
    RouteResponse response;
    if (results == 0) {
        response.status = 204;
        return response;
    }
    if (!lua_checkstack(thread, 8)) return Error{"stack overflow"};
    lua_settop(thread, 3);
    const double status = lua_type(thread, 1) == LUA_TNUMBER ? lua_tonumber(thread, 1) : 0;
    if (status < 200 || status > 599 || status != std::floor(status))
        return Error{"a route returns a status from 200 to 599, a body and headers"};
    response.status = static_cast<unsigned>(status);
    const char* type = nullptr;
    if (!lua_isnil(thread, 2)) {
        auto read = read_body(thread, 2, response);
        if (!read) return read.error();
        type = *read;
    }
    if (!lua_isnil(thread, 3))
        if (auto read = read_headers(thread, 3, response.headers); !read) return read.error();
    const bool has_type =
        std::any_of(response.headers.begin(), response.headers.end(),
                    [](const auto& each) { return each.first == "content-type"; });
    if (type && !has_type) response.headers.emplace_back("content-type", type);
    return response;
}

Result<void> read_headers(lua_State* thread, int index,
                          std::vector<std::pair<std::string, std::string>>& headers) {
    if (!lua_istable(thread, index)) return Error{"headers are a table"};
    lua_pushnil(thread);
    while (lua_next(thread, index)) {
        if (lua_type(thread, -2) != LUA_TSTRING || lua_type(thread, -1) != LUA_TSTRING)
            return Error{"a header's name and value are strings"};
        std::string name = lower(text_at(thread, -2));
        const std::string_view value = text_at(thread, -1);
        if (!is_header_name(name) || !is_header_text(value))
            return Error{"the header '" + name + "' has characters that HTTP does not allow"};
        headers.emplace_back(std::move(name), value);
        lua_pop(thread, 1);
    }
    return {};
}

RouteResponse error_response(unsigned status, std::string_view code, std::string_view message) {
    return {status,
            {{"content-type", kJsonType}},
            "{\"error\":{\"code\":" + json_string(code) + ",\"message\":" + json_string(message) +
                "}}"};
}

RouteResponse failure_response(const Failure& failure) {
    return {failure.http_status(),
            {{"content-type", kJsonType}},
            "{\"error\":" + failure.client_json() + "}"};
}

}  // namespace moonwire::script
