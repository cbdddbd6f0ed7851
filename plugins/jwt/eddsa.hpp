#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>

struct evp_pkey_st;

namespace moonwire::jwt {

/// A public key of Ed25519. Immutable: any thread.
using EdKey = std::shared_ptr<evp_pkey_st>;

/// The key of these 32 bytes in base64url, the `x` of a JWK; null if they are none.
EdKey ed25519_key(std::string_view x);

/// A token by EdDSA (RFC 8037) with its parts taken out of their base64url: cjose, which reads all
/// others, does not know the algorithm.
struct EdToken {
    std::string id;         // the header's `kid`, or nothing
    bool critical = false;  // the header has `crit`
    std::string signed_text, claims, signature;
};

/// Nothing if the token is by another algorithm, or malformed. Throws nothing.
std::optional<EdToken> read_eddsa(std::string_view token);

bool holds(const EdToken& token, const EdKey& key);

}  // namespace moonwire::jwt
