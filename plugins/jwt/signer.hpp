#pragma once

#include <stdexcept>
#include <string>
#include <vector>

#include "plugins/jwt/key.hpp"
#include "plugins/jwt/verifier.hpp"

namespace moonwire::jwt {

/// Why there is no token: what a script hears, with fail's code.
struct SignError : std::runtime_error {
    SignError(std::string code, const std::string& what)
        : std::runtime_error(what), code(std::move(code)) {}
    std::string code;
};

/// A secret that nobody knows, for HS256.
Key made_up_key();

/// Signs a token with the first of the keys that is a secret: no other kind is private here. The
/// claims, a JSON object, get `iat` and `exp`, which comes `seconds` after `now` (seconds since the
/// epoch), and the first issuer and audience of the rules unless they name their own. Any thread.
/// Throws SignError.
std::string sign_token(const std::string& claims_json, double seconds, const std::vector<Key>& keys,
                       const Rules& rules, double now);

}  // namespace moonwire::jwt
