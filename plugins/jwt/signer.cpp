#include "plugins/jwt/signer.hpp"

#include <cjose/cjose.h>
#include <openssl/rand.h>
#include <rapidjson/document.h>
#include <rapidjson/stringbuffer.h>
#include <rapidjson/writer.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <memory>
#include <string_view>

namespace moonwire::jwt {
namespace {

constexpr std::size_t kSecretBytes = 32;
/// Ten years: what is meant to last longer is a mistake, often milliseconds.
constexpr double kMaxSeconds = 10 * 366 * 86'400.0;

struct Release {
    void operator()(cjose_header_t* header) const { cjose_header_release(header); }
    void operator()(cjose_jws_t* jws) const { cjose_jws_release(jws); }
};

void set_claim(rapidjson::Document& claims, const char* name, rapidjson::Value value) {
    claims.EraseMember(name);
    claims.AddMember(rapidjson::StringRef(name), value, claims.GetAllocator());
}

/// Unless the claims have their own.
void set_first(rapidjson::Document& claims, const char* name,
               const std::vector<std::string>& texts) {
    if (texts.empty() || claims.HasMember(name)) return;
    set_claim(claims, name, rapidjson::Value(texts.front().c_str(), claims.GetAllocator()));
}

std::string complete(const std::string& claims_json, double seconds, const Rules& rules,
                     double now) {
    if (!(seconds > 0 && seconds <= kMaxSeconds))
        throw SignError("invalid", "seconds must be a number above 0, and at most ten years");
    rapidjson::Document claims;
    claims.Parse<rapidjson::kParseIterativeFlag | rapidjson::kParseFullPrecisionFlag>(
        claims_json.data(), claims_json.size());
    if (claims.HasParseError() || !claims.IsObject())
        throw SignError("invalid", "claims must be a table with names, such as { sub = \"u1\" }");
    set_claim(claims, "iat", rapidjson::Value(static_cast<std::int64_t>(std::floor(now))));
    set_claim(claims, "exp", rapidjson::Value(static_cast<std::int64_t>(std::ceil(now + seconds))));
    set_first(claims, "iss", rules.issuers);
    set_first(claims, "aud", rules.audiences);
    rapidjson::StringBuffer text;
    rapidjson::Writer<rapidjson::StringBuffer> writer(text);
    claims.Accept(writer);
    return {text.GetString(), text.GetSize()};
}

}  // namespace

Key made_up_key() {
    std::array<unsigned char, kSecretBytes> bytes;
    if (RAND_bytes(bytes.data(), static_cast<int>(bytes.size())) != 1)
        throw std::runtime_error("there are no random numbers to make up a key of");
    return secret_key({}, {reinterpret_cast<const char*>(bytes.data()), bytes.size()}, "HS256");
}

std::string sign_token(const std::string& claims_json, double seconds, const std::vector<Key>& keys,
                       const Rules& rules, double now) {
    const std::string claims = complete(claims_json, seconds, rules, now);
    const auto key = std::find_if(keys.begin(), keys.end(),
                                  [](const Key& each) { return each.algorithm.starts_with("HS"); });
    if (key == keys.end())
        throw SignError("unavailable", "no key here signs tokens: that takes a secret");
    cjose_err error{};
    const std::unique_ptr<cjose_header_t, Release> header(cjose_header_new(&error));
    cjose_header_set(header.get(), "alg", key->algorithm.c_str(), &error);
    cjose_header_set(header.get(), "typ", "JWT", &error);
    if (!key->id.empty()) cjose_header_set(header.get(), "kid", key->id.c_str(), &error);
    const std::unique_ptr<cjose_jws_t, Release> jws(cjose_jws_sign(
        key->jwk.get(), header.get(), reinterpret_cast<const std::uint8_t*>(claims.data()),
        claims.size(), &error));
    const char* text = nullptr;
    if (!jws || !cjose_jws_export(jws.get(), &text, &error))
        throw SignError("unavailable", error.message ? error.message : "the token can't be signed");
    std::string token = text;
    if (token.size() > kMaxTokenBytes)
        throw SignError("invalid", "the claims make a token of more than 16 KB");
    return token;
}

}  // namespace moonwire::jwt
