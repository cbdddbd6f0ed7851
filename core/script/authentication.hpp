#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/base/function.hpp"
#include "core/plugin/api/authenticator.hpp"
#include "core/plugin/api/http.hpp"

struct lua_State;

namespace moonwire::engineio {
struct Handshake;
}

namespace moonwire::script {

struct Failure;

/// What `ns:require_auth` or a route asks of who comes.
struct AuthDemand {
    bool optional = false;           // without a token they may come, too, as nobody
    std::vector<std::string> roles;  // of which they need one; none: whoever they are
};

/// Raises, naming the call, if no plugin verifies tokens.
void check_authenticator(lua_State* state, const char* call);
/// The role, or the list of them, on top; raises. Protected.
std::vector<std::string> read_roles(lua_State* state, const char* call);

/// Where a token is looked for: `auth.token` (in JSON, which was checked), then `?token=`, then
/// `Authorization: Bearer`. Empty: there is none. Protected.
std::string find_token(lua_State* state, std::string_view auth_json,
                       const engineio::Handshake& handshake);
/// The latter two.
std::string find_token(const plugin::HttpRequest& request);

/// Whether the user on top is in one of the roles: as its `type`, its `role` or in its list
/// `roles`. Protected.
bool has_role(lua_State* state, const std::vector<std::string>& roles);

/// Why there is nobody: what the client is told.
Failure auth_failure(std::string code, std::string message);

}  // namespace moonwire::script
