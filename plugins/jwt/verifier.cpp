#include "plugins/jwt/verifier.hpp"

#include <cjose/cjose.h>
#include <rapidjson/document.h>

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <memory>
#include <string_view>

namespace moonwire::jwt {
namespace {

using plugin::Verdict;

/// A token without a key's id is tried with so many of its algorithm.
constexpr std::size_t kMaxTries = 16;

struct Release {
    void operator()(cjose_jws_t* jws) const { cjose_jws_release(jws); }
};
using Jws = std::unique_ptr<cjose_jws_t, Release>;

Verified refuse(const char* why, bool newer_keys_may_help = false) {
    return {Verdict::refuse("unauthorized", why), newer_keys_may_help};
}

std::string header_text(cjose_header_t* header, const char* name) {
    cjose_err error{};
    const char* text = cjose_header_get(header, name, &error);
    return text ? text : "";
}

/// Those that the token's header leaves.
std::vector<const Key*> candidates(const std::vector<Key>& keys, const std::string& id,
                                   const std::string& algorithm) {
    std::vector<const Key*> found;
    const bool known = !id.empty() && std::any_of(keys.begin(), keys.end(),
                                                  [&](const Key& key) { return key.id == id; });
    for (const Key& key : keys) {
        // A key that has no name may be the one meant; one that has another is not.
        if (known ? key.id != id : !id.empty() && !key.id.empty()) continue;
        if (key.algorithm == algorithm && found.size() < kMaxTries) found.push_back(&key);
    }
    return found;
}

bool is_among(const std::vector<std::string>& allowed, const rapidjson::Value& value) {
    return value.IsString() &&
           std::find(allowed.begin(), allowed.end(),
                     std::string_view(value.GetString(), value.GetStringLength())) != allowed.end();
}

/// The time that a claim says; NaN if it is none, and nothing there is 0.
double time_of(const rapidjson::Value& claims, const char* name) {
    const auto found = claims.FindMember(name);
    if (found == claims.MemberEnd()) return 0;
    return found->value.IsNumber() ? found->value.GetDouble() : std::nan("");
}

Verified check_claims(std::string json, const Rules& rules, double now) {
    rapidjson::Document claims;
    claims.Parse<rapidjson::kParseValidateEncodingFlag | rapidjson::kParseIterativeFlag>(
        json.data(), json.size());
    if (claims.HasParseError() || !claims.IsObject()) return refuse("the token has no claims");
    const double expires = time_of(claims, "exp"), begins = time_of(claims, "nbf");
    if (std::isnan(expires) || std::isnan(begins)) return refuse("the token's times are none");
    if (claims.HasMember("exp") ? expires <= 0 : rules.require_exp)
        return refuse("the token has no end");
    if (expires != 0 && now >= expires + rules.leeway)
        return {Verdict::refuse("token_expired", "the token has expired")};
    if (now < begins - rules.leeway) return refuse("the token is not valid yet");
    if (!rules.issuers.empty()) {
        const auto issuer = claims.FindMember("iss");
        if (issuer == claims.MemberEnd() || !is_among(rules.issuers, issuer->value))
            return refuse("the token is of another issuer");
    }
    if (!rules.audiences.empty()) {
        const auto audience = claims.FindMember("aud");
        bool meant = false;
        if (audience != claims.MemberEnd() && audience->value.IsArray())
            for (const auto& each : audience->value.GetArray())
                meant |= is_among(rules.audiences, each);
        else if (audience != claims.MemberEnd()) meant = is_among(rules.audiences, audience->value);
        if (!meant) return refuse("the token is for another audience");
    }
    return {Verdict::accept(std::move(json), expires == 0 ? 0 : expires + rules.leeway)};
}

const char* const kExtension = "the token asks for an extension";
const char* const kNoKey = "no key is for this token";
const char* const kForged = "the token's signature does not hold";

Verified verify_eddsa(EdToken token, const std::vector<Key>& keys, const Rules& rules, double now) {
    if (token.critical) return refuse(kExtension);
    const auto tried = candidates(keys, token.id, "EdDSA");
    if (tried.empty()) return refuse(kNoKey, true);
    for (const Key* key : tried)
        if (holds(token, key->ed)) return check_claims(std::move(token.claims), rules, now);
    return refuse(kForged, token.id.empty());
}

}  // namespace

Verified verify_token(const std::string& token, const std::vector<Key>& keys, const Rules& rules,
                      double now) {
    if (token.size() > kMaxTokenBytes) return refuse("the token is too large");
    if (auto eddsa = read_eddsa(token)) return verify_eddsa(*std::move(eddsa), keys, rules, now);
    cjose_err error{};
    const Jws jws(cjose_jws_import(token.data(), token.size(), &error));
    if (!jws) return refuse("the token is malformed");
    cjose_header_t* header = cjose_jws_get_protected(jws.get());
    // What must be understood is not (RFC 7515, section 4.1.11).
    if (std::unique_ptr<char, decltype(&std::free)> critical(
            cjose_header_get_raw(header, "crit", &error), std::free);
        critical)
        return refuse(kExtension);
    const std::string id = header_text(header, "kid"), algorithm = header_text(header, "alg");
    if (!is_algorithm(algorithm)) return refuse("the token's algorithm is not allowed");
    const auto tried = candidates(keys, id, algorithm);
    if (tried.empty()) return refuse(kNoKey, true);
    for (const Key* key : tried) {
        if (!cjose_jws_verify(jws.get(), key->jwk.get(), &error)) continue;
        std::uint8_t* text = nullptr;
        std::size_t size = 0;
        if (!cjose_jws_get_plaintext(jws.get(), &text, &size, &error))
            return refuse("the token has no claims");
        return check_claims(std::string(reinterpret_cast<const char*>(text), size), rules, now);
    }
    return refuse(kForged, id.empty());
}

}  // namespace moonwire::jwt
