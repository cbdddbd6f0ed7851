#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "plugins/jwt/eddsa.hpp"

struct _cjose_jwk_int;

namespace moonwire::jwt {

/// A key that tokens may be verified with, by one algorithm: what a token says of its own can only
/// agree. Immutable: any thread.
struct Key {
    std::string id;         // of the JWK, or as set; empty: none
    std::string algorithm;  // "HS256"
    std::shared_ptr<const _cjose_jwk_int> jwk;
    EdKey ed = {};  // instead, for EdDSA
};

/// Whether this is the name of an algorithm that keys may have.
bool is_algorithm(std::string_view name);

// These throw std::runtime_error, saying what is wrong. An empty algorithm means the usual one of
// such a key: HS256, RS256, ES256 (and ES384, ES512 by the curve), EdDSA.

Key secret_key(std::string id, std::string_view secret, std::string algorithm);
/// A public key or a certificate.
Key pem_key(std::string id, std::string_view pem, std::string algorithm);
/// The keys of a JWK set (or the one JWK) that can sign tokens; others are left out. `public_only`:
/// so are secrets, which nobody publishes.
std::vector<Key> jwks_keys(std::string_view json, bool public_only);

}  // namespace moonwire::jwt
