#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include "core/plugin/api/authenticator.hpp"
#include "plugins/jwt/key.hpp"

namespace moonwire::jwt {

/// A larger token is refused.
constexpr std::size_t kMaxTokenBytes = 16 * 1024;

/// What a token must say beside being signed.
struct Rules {
    std::vector<std::string> issuers;    // one of these; none: any
    std::vector<std::string> audiences;  // the same
    double leeway = 0;                   // seconds that clocks may differ by
    bool require_exp = true;
};

/// How a token fared.
struct Verified {
    plugin::Verdict verdict;
    bool newer_keys_may_help = false;  // it was none of these keys'
};

/// Verifies a token (RFC 7519, JWS compact serialization) with these keys. A key's algorithm is the
/// only one that it verifies by, so that `none`, or a public key taken for a secret, verifies
/// nothing. `now`: seconds since the epoch. Any thread; throws nothing.
Verified verify_token(const std::string& token, const std::vector<Key>& keys, const Rules& rules,
                      double now);

}  // namespace moonwire::jwt
