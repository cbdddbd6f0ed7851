#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "core/script/failure.hpp"
#include "core/script/namespace_vm.hpp"

namespace moonwire::script {

/// Whether the content-type among these (names in lower case) speaks of JSON.
bool has_json_type(const std::vector<std::pair<std::string, std::string>>& headers);

/// Pushes a table of what every request has: method, path, url, query, headers, address, secure.
/// Protected.
void push_request_line(lua_State* state, const RouteRequest& request);

/// Pushes a route's `request` table. A body that calls itself JSON, or that a schema waits for,
/// must be some: else why not, with something pushed all the same. Protected.
std::optional<Failure> push_request(lua_State* state, const RouteCall& call, bool json_expected);

/// Checks `request.json` of the table on top against the schema in `slot`, filling in defaults. A
/// failure without a code means that it holds. Protected.
Failure check_body(lua_State* state, const Generation& generation, int slot);

/// What a route returned (`status, body, headers` from 1 to `results`) as a response. Raises
/// nothing.
Result<RouteResponse> read_response(lua_State* thread, int results);

/// Appends the header table at `index`, names in lower case. Raises nothing.
Result<void> read_headers(lua_State* thread, int index,
                          std::vector<std::pair<std::string, std::string>>& headers);

RouteResponse error_response(unsigned status, std::string_view code, std::string_view message);
RouteResponse failure_response(const Failure& failure);

}  // namespace moonwire::script
