#include <cjose/base64.h>
#include <cjose/cjose.h>
#include <doctest/doctest.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <unistd.h>

#include <cmath>
#include <filesystem>
#include <fstream>
#include <optional>

#include "plugins/jwt/key_ring.hpp"
#include "plugins/jwt/signer.hpp"
#include "plugins/jwt/verifier.hpp"

using namespace moonwire::jwt;
using namespace std::chrono_literals;
namespace fs = std::filesystem;

namespace {

constexpr double kNow = 1'700'000'000;

using Jwk = std::shared_ptr<cjose_jwk_t>;

Jwk own(cjose_jwk_t* jwk) {
    REQUIRE(jwk);
    return {jwk, [](cjose_jwk_t* each) { cjose_jwk_release(each); }};
}
Jwk rsa(std::size_t bits = 2048) {
    const std::uint8_t e[] = {1, 0, 1};
    cjose_err error{};
    return own(cjose_jwk_create_RSA_random(bits, e, sizeof e, &error));
}
Jwk ec(cjose_jwk_ec_curve curve = CJOSE_JWK_EC_P_256) {
    cjose_err error{};
    return own(cjose_jwk_create_EC_random(curve, &error));
}
Jwk secret(std::string_view text) {
    cjose_err error{};
    return own(cjose_jwk_create_oct_spec(reinterpret_cast<const std::uint8_t*>(text.data()),
                                         text.size(), &error));
}
/// The JWK, its private half only if asked for, with further members ("\"kid\":\"a\",").
std::string json_of(const Jwk& jwk, const std::string& more = "", bool with_secret = false) {
    cjose_err error{};
    char* text = cjose_jwk_to_json(jwk.get(), with_secret, &error);
    std::string json = text;
    std::free(text);
    return "{" + more + json.substr(1);
}
std::string set_of(std::initializer_list<std::string> jwks) {
    std::string set;
    for (const std::string& each : jwks) set += (set.empty() ? "" : ",") + each;
    return "{\"keys\":[" + set + "]}";
}

std::string sign(const Jwk& key, const std::string& algorithm, const std::string& claims,
                 const std::string& kid = "", const std::string& critical = "") {
    cjose_err error{};
    cjose_header_t* header = cjose_header_new(&error);
    cjose_header_set(header, "alg", algorithm.c_str(), &error);
    if (!kid.empty()) cjose_header_set(header, "kid", kid.c_str(), &error);
    if (!critical.empty()) cjose_header_set_raw(header, "crit", critical.c_str(), &error);
    cjose_jws_t* jws =
        cjose_jws_sign(key.get(), header, reinterpret_cast<const std::uint8_t*>(claims.data()),
                       claims.size(), &error);
    REQUIRE_MESSAGE(jws, error.message);
    const char* text = nullptr;
    cjose_jws_export(jws, &text, &error);
    std::string token = text;
    cjose_jws_release(jws);
    cjose_header_release(header);
    return token;
}

const std::string kClaims = R"({"sub":"u1","exp":1700000100})";

/// "accepted", or the refusal's message.
std::string fate(const std::string& token, const std::vector<Key>& keys, const Rules& rules = {},
                 double now = kNow) {
    const Verified verified = verify_token(token, keys, rules, now);
    return verified.verdict.accepted ? "accepted" : verified.verdict.message;
}

const char* const kNoKey = "no key is for this token";
const char* const kForged = "the token's signature does not hold";
const char* const kMalformed = "the token is malformed";
const char* const kNotAllowed = "the token's algorithm is not allowed";

/// The public half in PEM.
std::string pem_of(const char* type, unsigned bits, const char* curve) {
    EVP_PKEY* key = curve ? EVP_EC_gen(curve) : EVP_PKEY_Q_keygen(nullptr, nullptr, type, bits);
    BIO* bio = BIO_new(BIO_s_mem());
    PEM_write_bio_PUBKEY(bio, key);
    char* data = nullptr;
    const long size = BIO_get_mem_data(bio, &data);
    std::string pem(data, static_cast<std::size_t>(size));
    BIO_free(bio);
    EVP_PKEY_free(key);
    return pem;
}

std::string base64url(std::string_view bytes) {
    cjose_err error{};
    char* text = nullptr;
    std::size_t size = 0;
    cjose_base64url_encode(reinterpret_cast<const std::uint8_t*>(bytes.data()), bytes.size(), &text,
                           &size, &error);
    std::string encoded(text, size);
    std::free(text);
    return encoded;
}

/// A pair of keys of Ed25519, which cjose has not.
struct EdPair {
    std::shared_ptr<EVP_PKEY> key{EVP_PKEY_Q_keygen(nullptr, nullptr, "ED25519"), EVP_PKEY_free};

    std::string pem() const {
        BIO* bio = BIO_new(BIO_s_mem());
        PEM_write_bio_PUBKEY(bio, key.get());
        char* data = nullptr;
        const long size = BIO_get_mem_data(bio, &data);
        std::string text(data, static_cast<std::size_t>(size));
        BIO_free(bio);
        return text;
    }
    std::string sign(const std::string& header, const std::string& claims) const {
        const std::string text = base64url(header) + "." + base64url(claims);
        std::string signature(64, '\0');
        std::size_t size = signature.size();
        EVP_MD_CTX* context = EVP_MD_CTX_new();
        EVP_DigestSignInit(context, nullptr, nullptr, nullptr, key.get());
        EVP_DigestSign(context, reinterpret_cast<unsigned char*>(signature.data()), &size,
                       reinterpret_cast<const unsigned char*>(text.data()), text.size());
        EVP_MD_CTX_free(context);
        return text + "." + base64url(signature);
    }
};

std::string thrown(auto&& call) {
    try {
        call();
    } catch (const std::runtime_error& error) {
        return error.what();
    }
    return "nothing";
}

}  // namespace

TEST_CASE("the examples of RFC 7515 hold, and none of them with a changed byte") {
    const std::string payload =
        "eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cn"
        "VlfQ";
    const std::string token = "eyJ0eXAiOiJKV1QiLA0KICJhbGciOiJIUzI1NiJ9." + payload +
                              ".dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";
    const std::string key =
        R"({"kty":"oct","k":"AyM1SysPpbyDfgZld3umj1qzKObwVMkoqQ-EstJQLr_T-1qS0gZH75aKtMN3Yj0iPS4hcgU)"
        R"(uTwjAzZr1Z9CAow"})";
    const std::string es_token =
        "eyJhbGciOiJFUzI1NiJ9." + payload +
        ".DtEhU3ljbEg8L38VWAfUAqOyKAM6-Xx-F4GawxaepmXFCgfTjDxw5djxLa8ISlSApmWQxfKTUJqPP3-Kg6NU1Q";
    const std::string es_key =
        R"({"kty":"EC","crv":"P-256","x":"f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU",)"
        R"("y":"x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0"})";
    for (const auto& [good, jwk] : {std::pair(token, key), std::pair(es_token, es_key)}) {
        const auto keys = jwks_keys(jwk, false);
        CHECK(fate(good, keys, {}, 1300819379) == "accepted");
        for (std::size_t i = 0; i < good.size(); i += 7) {
            std::string bad = good;
            bad[i] = bad[i] == 'A' ? 'B' : 'A';
            // The last character of a part may have bits that stand for nothing.
            if (i + 1 != good.size()) CHECK(fate(bad, keys, {}, 1300819379) != "accepted");
        }
    }
}

TEST_CASE("every algorithm verifies what its own key signed, and no other does") {
    const Jwk rsa_jwk = rsa();
    const std::vector<std::pair<Jwk, std::vector<std::string>>> all{
        {secret(std::string(64, 's')), {"HS256", "HS384", "HS512"}},
        {rsa_jwk, {"RS256", "RS384", "RS512", "PS256", "PS384", "PS512"}},
        {ec(CJOSE_JWK_EC_P_256), {"ES256"}},
        {ec(CJOSE_JWK_EC_P_384), {"ES384"}},
        {ec(CJOSE_JWK_EC_P_521), {"ES512"}}};
    for (const auto& [jwk, algorithms] : all) {
        for (const std::string& name : algorithms) {
            CAPTURE(name);
            CHECK(is_algorithm(name));
            const auto keys = jwks_keys(json_of(jwk, "\"alg\":\"" + name + "\",", true), false);
            REQUIRE(keys.size() == 1);
            for (const std::string& used : algorithms)
                CHECK(fate(sign(jwk, used, kClaims), keys) == (used == name ? "accepted" : kNoKey));
        }
    }
}

TEST_CASE("a token without a signature, or with a public key taken for a secret, is refused") {
    const std::string pem = pem_of("RSA", 2048, nullptr);
    const std::vector<Key> keys{pem_key("", pem, "")};
    CHECK(keys[0].algorithm == "RS256");
    CHECK(fate(sign(secret(pem), "HS256", kClaims), keys) == kNoKey);
    // {"alg":"none"}, with and without what looks like a signature
    const std::string none = "eyJhbGciOiJub25lIn0.eyJzdWIiOiJ1MSIsImV4cCI6MTcwMDAwMDEwMH0.";
    CHECK(fate(none, keys) == kNotAllowed);
    CHECK(fate(none + "AAAA", keys) == kNotAllowed);
    CHECK(fate(none, {secret_key("", "secret", "")}) == kNotAllowed);
    for (const char* text : {"", ".", "..", "a.b.c", "a.b", "e30.e30.e30", "{}"})
        CHECK(fate(text, keys) == kMalformed);
    CHECK(fate(std::string(17'000, 'a'), keys) == "the token is too large");
}

TEST_CASE("a token names its key; without a name all of its algorithm are tried") {
    const Jwk a = rsa(), b = rsa();
    const auto keys =
        jwks_keys(set_of({json_of(a, R"("kid":"a",)"), json_of(b, R"("kid":"b",)")}), true);
    REQUIRE(keys.size() == 2);
    CHECK(fate(sign(a, "RS256", kClaims, "a"), keys) == "accepted");
    CHECK(fate(sign(b, "RS256", kClaims), keys) == "accepted");
    CHECK(fate(sign(b, "RS256", kClaims, "a"), keys) == kForged);
    CHECK(fate(sign(a, "RS256", kClaims, "c"), keys) == kNoKey);
    CHECK(fate(sign(rsa(), "RS256", kClaims), keys) == kForged);
    CHECK(verify_token(sign(a, "RS256", kClaims, "c"), keys, {}, kNow).newer_keys_may_help);
    CHECK_FALSE(verify_token(sign(b, "RS256", kClaims, "a"), keys, {}, kNow).newer_keys_may_help);
    // A key that was given without a name may be the one.
    CHECK(fate(sign(secret("s"), "HS256", kClaims, "x"), {secret_key("", "s", "")}) == "accepted");
    CHECK(fate(sign(a, "RS256", kClaims, "a", R"(["b64"])"), keys) ==
          "the token asks for an extension");
}

TEST_CASE("exp, nbf, iss and aud hold, with leeway") {
    const std::vector<Key> keys{secret_key("", "secret", "")};
    const auto check = [&](const std::string& claims, const Rules& rules = {}) {
        return fate(sign(secret("secret"), "HS256", claims), keys, rules);
    };
    CHECK(check(R"({"exp":1700000001})") == "accepted");
    CHECK(check(R"({"exp":1700000000})") == "the token has expired");
    CHECK(check(R"({"exp":1699999996})", {{}, {}, 5}) == "accepted");
    CHECK(check(R"({"exp":1699999995})", {{}, {}, 5}) == "the token has expired");
    CHECK(check(R"({"exp":"1800000000"})") == "the token's times are none");
    CHECK(check(R"({"exp":0})") == "the token has no end");
    CHECK(check(R"({"exp":-5})") == "the token has no end");
    CHECK(check("{}") == "the token has no end");
    CHECK(check("{}", {{}, {}, 0, false}) == "accepted");
    CHECK(check(R"({"exp":1699999999})", {{}, {}, 0, false}) == "the token has expired");
    const std::string exp = R"("exp":1800000000)";
    CHECK(check("{" + exp + R"(,"nbf":1700000000})") == "accepted");
    CHECK(check("{" + exp + R"(,"nbf":1700000006})") == "the token is not valid yet");
    CHECK(check("{" + exp + R"(,"nbf":1700000005})", {{}, {}, 5}) == "accepted");
    const Rules us{{"us", "them"}, {}};
    CHECK(check("{" + exp + R"(,"iss":"them"})", us) == "accepted");
    CHECK(check("{" + exp + R"(,"iss":"others"})", us) == "the token is of another issuer");
    CHECK(check("{" + exp + R"(,"iss":["us"]})", us) == "the token is of another issuer");
    CHECK(check("{" + exp + "}", us) == "the token is of another issuer");
    const Rules app{{}, {"app"}};
    CHECK(check("{" + exp + R"(,"aud":"app"})", app) == "accepted");
    CHECK(check("{" + exp + R"(,"aud":["x","app"]})", app) == "accepted");
    CHECK(check("{" + exp + R"(,"aud":["x",1]})", app) == "the token is for another audience");
    CHECK(check("{" + exp + "}", app) == "the token is for another audience");
    for (const char* text : {"[]", "1", "\"x\"", "", "{", "{\"exp\":1800000000}x"})
        CHECK(check(text) == "the token has no claims");

    const auto verdict =
        verify_token(sign(secret("secret"), "HS256", kClaims), keys, {{}, {}, 5}, kNow).verdict;
    CHECK(verdict.claims_json == kClaims);
    CHECK(verdict.expires == 1'700'000'105);
    CHECK(verify_token(sign(secret("secret"), "HS256", R"({"exp":1})"), keys, {}, kNow)
              .verdict.code == "token_expired");
}

TEST_CASE("EdDSA verifies by Ed25519, whatever the key came in") {
    // RFC 8037, appendix A.4: it holds, but its text is no claims.
    const std::string example =
        "eyJhbGciOiJFZERTQSJ9.RXhhbXBsZSBvZiBFZDI1NTE5IHNpZ25pbmc.hgyY0il_MGCjP0JzlnLWG1PPOt7-"
        "09PGcvMg3AIbQR6dWbhijcNR4ki4iylGjg5BhVsPt9g7sVvpAr_MuM0KAg";
    const std::string jwk =
        R"("kty":"OKP","crv":"Ed25519","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"})";
    const auto keys = jwks_keys("{" + jwk, true);
    CHECK(fate(example, keys) == "the token has no claims");
    for (std::size_t i = 30; i + 1 < example.size(); i += 7) {
        std::string bad = example;
        bad[i] = bad[i] == 'A' ? 'B' : 'A';
        CHECK(fate(bad, keys) != "the token has no claims");
    }

    const EdPair one, other;
    const std::vector<Key> pem{pem_key("", one.pem(), "")};
    CHECK(pem[0].algorithm == "EdDSA");
    CHECK(fate(one.sign(R"({"alg":"EdDSA"})", kClaims), pem) == "accepted");
    CHECK(fate(other.sign(R"({"alg":"EdDSA"})", kClaims), pem) == kForged);
    CHECK(fate(one.sign(R"({"alg":"EdDSA","crit":["b64"]})", kClaims), pem) ==
          "the token asks for an extension");
    CHECK(fate(one.sign(R"({"alg":"ES256"})", kClaims), pem) != "accepted");
    // Two parsers may each read another of the two.
    CHECK(fate(other.sign(R"({"alg":"HS256","alg":"EdDSA"})", kClaims), pem) != "accepted");
    CHECK(fate(other.sign(R"({"alg":"EdDSA","alg":"HS256"})", kClaims), pem) != "accepted");
    CHECK(fate(one.sign(R"({"alg":"EdDSA","kid":"b"})", kClaims), {pem_key("a", one.pem(), "")}) ==
          kNoKey);
    CHECK(fate(one.sign(R"({"alg":"EdDSA"})", kClaims), {secret_key("", one.pem(), "")}) == kNoKey);
    CHECK(fate(one.sign(R"({"alg":"EdDSA"})", R"({"exp":1})"), pem) == "the token has expired");
    CHECK(thrown([&] { pem_key("", one.pem(), "ES256"); }) == "the key is none for ES256");
    CHECK(jwks_keys(R"({"alg":"EdDSA",)" + jwk, true).size() == 1);
    for (const std::string& bad :
         {R"({"alg":"ES256",)" + jwk, std::string(R"({"kty":"OKP","crv":"X25519","x":"AA"})"),
          std::string(R"({"kty":"OKP","crv":"Ed25519","x":"AA"})"),
          std::string(R"({"kty":"OKP","crv":"Ed25519","x":"!"})")})
        CHECK(thrown([&] { jwks_keys(bad, true); }) == "no key in it can verify tokens");
    for (const char* token : {"eyJhbGciOiJFZERTQSJ9..", "eyJhbGciOiJFZERTQSJ9.!.AA",
                              "eyJhbGciOiJFZERTQSJ9.e30", "eyJhbGciOiJFZERTQSJ9.e30.AA.AA"})
        CHECK(fate(token, pem) != "accepted");
}

TEST_CASE("a token that is signed here verifies here, and begins and ends when it says") {
    const std::vector<Key> keys{pem_key("", pem_of("RSA", 2048, nullptr), ""),
                                secret_key("k1", std::string(64, 's'), "HS384")};
    const Rules rules{{"us", "them"}, {"app", "web"}};
    const std::string token = sign_token(R"({"sub":"u1","exp":5,"n":12.5})", 60, keys, rules, kNow);
    const Verified verified = verify_token(token, keys, rules, kNow);
    REQUIRE(verified.verdict.accepted);
    CHECK(verified.verdict.claims_json ==
          R"({"sub":"u1","n":12.5,"iat":1700000000,"exp":1700000060,"iss":"us","aud":"app"})");
    CHECK(fate(token, keys, rules, kNow + 60) == "the token has expired");
    CHECK(fate(token, {secret_key("k1", std::string(64, 't'), "HS384")}) == kForged);
    // Its own issuer and audience stay.
    const std::string own = sign_token(R"({"iss":"them","aud":["x"]})", 0.5, keys, rules, kNow);
    CHECK(verify_token(own, keys, {}, kNow).verdict.claims_json ==
          R"({"iss":"them","aud":["x"],"iat":1700000000,"exp":1700000001})");
    CHECK(fate(sign_token("{}", 60, keys, {}, kNow), keys) == "accepted");
}

TEST_CASE("what can't be signed says why") {
    const std::vector<Key> keys{secret_key("", "secret", "")};
    const auto refused = [&](const std::string& claims, double seconds,
                             const std::vector<Key>& with) -> std::string {
        try {
            return sign_token(claims, seconds, with, {}, kNow);
        } catch (const SignError& error) {
            return error.code + ": " + error.what();
        }
    };
    for (const double seconds : {0.0, -1.0, 1e12, std::nan("")})
        CHECK(refused("{}", seconds, keys) ==
              "invalid: seconds must be a number above 0, and at most ten years");
    for (const char* claims : {"[]", "7", "", "{"})
        CHECK(refused(claims, 60, keys).starts_with("invalid: claims must be a table"));
    CHECK(refused("{\"a\":\"" + std::string(17'000, 'x') + "\"}", 60, keys) ==
          "invalid: the claims make a token of more than 16 KB");
    const std::string no_key = "unavailable: no key here signs tokens: that takes a secret";
    CHECK(refused("{}", 60, {}) == no_key);
    CHECK(refused("{}", 60, {pem_key("", pem_of("EC", 0, "P-256"), "")}) == no_key);
}

TEST_CASE("a made-up key is another each time") {
    const Key one = made_up_key(), other = made_up_key();
    CHECK(one.algorithm == "HS256");
    const std::string token = sign_token("{}", 60, {one}, {}, kNow);
    CHECK(fate(token, {one}) == "accepted");
    CHECK(fate(token, {other}) == kForged);
}

TEST_CASE("keys come in PEM, as JWK sets, or are secrets; a wrong one says what is wrong") {
    CHECK(pem_key("x", pem_of("RSA", 2048, nullptr), "PS512").algorithm == "PS512");
    CHECK(pem_key("x", pem_of("EC", 0, "P-256"), "").algorithm == "ES256");
    CHECK(pem_key("x", pem_of("EC", 0, "P-521"), "").algorithm == "ES512");
    CHECK(thrown([] { pem_key("", pem_of("RSA", 1024, nullptr), ""); }) ==
          "an RSA key has 2048 bits or more");
    CHECK(thrown([] { pem_key("", pem_of("EC", 0, "secp256k1"), ""); }) ==
          "no algorithm here is for keys of the curve secp256k1");
    CHECK(thrown([] { pem_key("", pem_of("EC", 0, "P-256"), "ES384"); }) ==
          "the key is none for ES384");
    CHECK(thrown([] { pem_key("", pem_of("RSA", 2048, nullptr), "HS256"); }) ==
          "the key is none for HS256");
    CHECK(thrown([] { pem_key("", "nonsense", ""); }) ==
          "neither a public key nor a certificate in PEM");
    CHECK(thrown([] {
              pem_key("", "-----BEGIN PRIVATE KEY-----", "");
          }).starts_with("a private key"));
    CHECK(thrown([] { secret_key("", "", ""); }) == "the secret is empty");
    CHECK(thrown([] { secret_key("", "x", "RS256"); }) == "the key is none for RS256");

    const std::string good = json_of(rsa(), R"("kid":"a",)");
    const std::string others[] = {json_of(rsa(), R"("use":"enc",)"),
                                  json_of(rsa(), R"("alg":"RSA-OAEP",)"),
                                  json_of(secret("s"), "", true),
                                  R"({"kty":"OKP","crv":"Ed25519","x":"AA"})",
                                  R"({"kty":"RSA"})",
                                  "7"};
    CHECK(
        jwks_keys(set_of({good, others[0], others[1], others[2], others[3], others[4], others[5]}),
                  true)
            .size() == 1);
    CHECK(jwks_keys(set_of({good, others[2]}), false).size() == 2);
    CHECK(thrown([&] { jwks_keys(set_of({others[0]}), true); }) ==
          "no key in it can verify tokens");
    CHECK(thrown([] { jwks_keys("<html>", true); }) == "not the JSON of a JWK set");
}

namespace {

/// A URL that the test answers.
struct RingTest {
    RingTest() {
        ring.fetch_by([this](auto done) { fetches.push_back(std::move(done)); }, 300s);
    }
    void answer(const std::string& text, const std::string& problem = "") {
        REQUIRE(fetches.size() == 1);
        const auto done = std::move(fetches.front());
        fetches.clear();
        done(text, problem);
    }
    /// How many keys there are once they are asked for; nothing while they are waited for.
    std::shared_ptr<std::optional<std::size_t>> ask(bool missing = false) {
        auto count = std::make_shared<std::optional<std::size_t>>();
        CHECK(ring.with_keys(missing, now,
                             [count](const KeyRing::Keys& keys) { *count = keys->size(); }));
        return count;
    }
    std::vector<std::string> warnings;
    KeyRing ring{[this](const std::string& message, const std::string& reason) {
        warnings.push_back(message + ": " + reason);
    }};
    std::vector<std::function<void(std::string, std::string)>> fetches;
    KeyRing::Time now = KeyRing::Time{} + 1h;
};

}  // namespace

TEST_CASE("a URL's keys are fetched when first needed, when old, and when one is missing") {
    RingTest test;
    const std::string one = set_of({json_of(rsa(), R"("kid":"a",)")});
    const std::string two =
        set_of({json_of(rsa(), R"("kid":"a",)"), json_of(rsa(), R"("kid":"b",)")});
    const auto first = test.ask(), second = test.ask();
    CHECK_FALSE(*first);
    test.answer(one);
    CHECK(*first == 1);
    CHECK(*second == 1);
    CHECK(*test.ask() == 1);
    CHECK(test.fetches.empty());
    // Missing: asked for at most every ten seconds.
    CHECK(*test.ask(true) == 1);
    CHECK(test.fetches.empty());
    test.now += 11s;
    const auto missing = test.ask(true);
    CHECK_FALSE(*missing);
    CHECK(*test.ask() == 1);  // who is not missing one does not wait
    test.answer(two);
    CHECK(*missing == 2);
    // Old: fetched behind the back of who asks.
    test.now += 301s;
    CHECK(*test.ask() == 2);
    test.answer(one);
    CHECK(*test.ask() == 1);
    CHECK(test.warnings.empty());
}

TEST_CASE("what can't be fetched leaves the old keys, and is told of") {
    RingTest test;
    const auto first = test.ask();
    test.answer("", "timeout");
    CHECK(*first == 0);
    CHECK(*test.ask() == 0);  // not asked again so soon
    test.now += 11s;
    const auto second = test.ask();
    test.answer(set_of({json_of(rsa())}));
    CHECK(*second == 1);
    test.now += 400s;
    test.ask();
    test.answer("<html>");
    CHECK(*test.ask() == 1);
    CHECK(test.warnings == std::vector<std::string>{
                               "keys not fetched, the old ones stay: timeout",
                               "keys not fetched, the old ones stay: not the JSON of a JWK set"});
}

TEST_CASE("only so many may wait for keys") {
    RingTest test;
    for (std::size_t i = 0; i < KeyRing::kMaxWaiting; ++i) test.ask();
    CHECK_FALSE(test.ring.with_keys(false, test.now, [](const KeyRing::Keys&) {}));
    test.answer("", "timeout");
}

TEST_CASE("a file is read anew when it changes; a bad one leaves what was there") {
    const fs::path path = fs::temp_directory_path() / ("moonwire-keys-" + std::to_string(getpid()));
    std::ofstream(path) << set_of({json_of(rsa())});
    std::vector<std::string> warnings;
    KeyRing ring([&](const std::string& message, const std::string& reason) {
        warnings.push_back(message + ": " + reason);
    });
    ring.add(KeyFile(KeyFile::Kind::jwks, path, "", ""));
    ring.add(secret_key("", "s", ""));
    KeyRing::Time now = KeyRing::Time{} + 1h;
    CHECK(ring.keys(now)->size() == 2);
    std::ofstream(path) << set_of({json_of(rsa()), json_of(rsa())});
    CHECK(ring.keys(now)->size() == 2);  // not looked at again so soon
    now += 2s;
    CHECK(ring.keys(now)->size() == 3);
    std::ofstream(path) << "oops";
    now += 2s;
    CHECK(ring.keys(now)->size() == 3);
    CHECK(warnings == std::vector<std::string>{"keys not read anew, the old ones stay: \"" +
                                               path.string() + "\": not the JSON of a JWK set"});
    std::ofstream(path) << "secret\n";
    KeyFile file(KeyFile::Kind::secret, path, "", "");
    CHECK(fate(sign(secret("secret"), "HS256", kClaims), file.read()) == "accepted");
    fs::remove(path);
    CHECK(thrown([&] { KeyFile(KeyFile::Kind::pem, path, "", "").read(); }) ==
          "\"" + path.string() + "\" can't be read");
}
