#include "plugins/jwt/key.hpp"

#include <cjose/cjose.h>
#include <openssl/bio.h>
#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509.h>
#include <rapidjson/document.h>
#include <rapidjson/stringbuffer.h>
#include <rapidjson/writer.h>

#include <algorithm>
#include <optional>
#include <stdexcept>

namespace moonwire::jwt {
namespace {

constexpr std::size_t kMinRsaBits = 2048;  // RFC 7518, section 3.3

enum class Kind { secret, rsa, p256, p384, p521, ed25519 };
struct Algorithm {
    std::string_view name;
    Kind kind;
};
// The first of a kind is its usual one.
constexpr Algorithm kAlgorithms[] = {
    {"HS256", Kind::secret}, {"HS384", Kind::secret}, {"HS512", Kind::secret},
    {"RS256", Kind::rsa},    {"RS384", Kind::rsa},    {"RS512", Kind::rsa},
    {"PS256", Kind::rsa},    {"PS384", Kind::rsa},    {"PS512", Kind::rsa},
    {"ES256", Kind::p256},   {"ES384", Kind::p384},   {"ES512", Kind::p521},
    {"EdDSA", Kind::ed25519}};

using Jwk = std::shared_ptr<const cjose_jwk_t>;

Jwk own(cjose_jwk_t* jwk, const cjose_err& error) {
    if (!jwk) throw std::runtime_error(error.message ? error.message : "no key");
    return {jwk, [](cjose_jwk_t* each) { cjose_jwk_release(each); }};
}

std::optional<Kind> kind_of(const cjose_jwk_t* jwk) {
    cjose_err error;
    switch (cjose_jwk_get_kty(jwk, &error)) {
        case CJOSE_JWK_KTY_OCT: return Kind::secret;
        case CJOSE_JWK_KTY_RSA: return Kind::rsa;
        case CJOSE_JWK_KTY_EC: break;
        default: return std::nullopt;
    }
    switch (cjose_jwk_EC_get_curve(jwk, &error)) {
        case CJOSE_JWK_EC_P_256: return Kind::p256;
        case CJOSE_JWK_EC_P_384: return Kind::p384;
        case CJOSE_JWK_EC_P_521: return Kind::p521;
        default: return std::nullopt;
    }
}

/// The algorithm, or the usual one of such a key if it is empty; throws if it is none of its.
std::string algorithm_of(Kind kind, std::string algorithm) {
    for (const Algorithm& each : kAlgorithms)
        if (each.kind == kind && (algorithm.empty() || algorithm == each.name))
            return std::string(each.name);
    throw std::runtime_error("the key is none for " + algorithm);
}

Key make_key(std::string id, Jwk jwk, std::string algorithm) {
    const auto kind = kind_of(jwk.get());
    if (!kind) throw std::runtime_error("the key is of a kind that no algorithm here has");
    cjose_err error;
    if (*kind == Kind::rsa && cjose_jwk_get_keysize(jwk.get(), &error) < kMinRsaBits)
        throw std::runtime_error("an RSA key has 2048 bits or more");
    algorithm = algorithm_of(*kind, std::move(algorithm));
    return {std::move(id), std::move(algorithm), std::move(jwk)};
}

Key make_key(std::string id, EdKey key, std::string algorithm) {
    algorithm = algorithm_of(Kind::ed25519, std::move(algorithm));
    return {std::move(id), std::move(algorithm), nullptr, std::move(key)};
}

template <auto Free>
struct Freed {
    template <typename T>
    void operator()(T* object) const {
        Free(object);
    }
};
using Bio = std::unique_ptr<BIO, Freed<BIO_free>>;
using PublicKey = std::unique_ptr<EVP_PKEY, Freed<EVP_PKEY_free>>;
using Certificate = std::unique_ptr<X509, Freed<X509_free>>;
using Number = std::unique_ptr<BIGNUM, Freed<BN_free>>;

PublicKey read_pem(std::string_view pem) {
    const auto open = [&] {
        return Bio(BIO_new_mem_buf(pem.data(), static_cast<int>(pem.size())));
    };
    if (pem.find("PRIVATE KEY-----") != pem.npos)
        throw std::runtime_error("a private key; only its public half is needed here");
    PublicKey key(PEM_read_bio_PUBKEY(open().get(), nullptr, nullptr, nullptr));
    if (!key) {
        const Certificate certificate(PEM_read_bio_X509(open().get(), nullptr, nullptr, nullptr));
        if (certificate) key.reset(X509_get_pubkey(certificate.get()));
    }
    ERR_clear_error();
    if (!key) throw std::runtime_error("neither a public key nor a certificate in PEM");
    return key;
}

/// A parameter of the key as bytes, big end first, with zeros in front up to `size`.
std::string number_of(const PublicKey& key, const char* name, std::size_t size = 0) {
    BIGNUM* read = nullptr;
    if (EVP_PKEY_get_bn_param(key.get(), name, &read) != 1)
        throw std::runtime_error("the key lacks a part");
    const Number number(read);
    std::string bytes(std::max(size, static_cast<std::size_t>(BN_num_bytes(number.get()))), '\0');
    BN_bn2binpad(number.get(), reinterpret_cast<unsigned char*>(bytes.data()),
                 static_cast<int>(bytes.size()));
    return bytes;
}

std::uint8_t* bytes_of(std::string& text) { return reinterpret_cast<std::uint8_t*>(text.data()); }

Jwk rsa_jwk(const PublicKey& key) {
    std::string n = number_of(key, OSSL_PKEY_PARAM_RSA_N);
    std::string e = number_of(key, OSSL_PKEY_PARAM_RSA_E);
    cjose_jwk_rsa_keyspec spec{};
    spec.n = bytes_of(n);
    spec.nlen = n.size();
    spec.e = bytes_of(e);
    spec.elen = e.size();
    cjose_err error{};
    return own(cjose_jwk_create_RSA_spec(&spec, &error), error);
}

Jwk ec_jwk(const PublicKey& key) {
    char group[64] = "";
    EVP_PKEY_get_utf8_string_param(key.get(), OSSL_PKEY_PARAM_GROUP_NAME, group, sizeof group,
                                   nullptr);
    const std::string_view name = group;
    cjose_jwk_ec_keyspec spec{};
    std::size_t size = 0;
    if (name == "prime256v1") {
        spec.crv = CJOSE_JWK_EC_P_256;
        size = 32;
    } else if (name == "secp384r1") {
        spec.crv = CJOSE_JWK_EC_P_384;
        size = 48;
    } else if (name == "secp521r1") {
        spec.crv = CJOSE_JWK_EC_P_521;
        size = 66;
    } else {
        throw std::runtime_error("no algorithm here is for keys of the curve " + std::string(name));
    }
    std::string x = number_of(key, OSSL_PKEY_PARAM_EC_PUB_X, size);
    std::string y = number_of(key, OSSL_PKEY_PARAM_EC_PUB_Y, size);
    spec.x = bytes_of(x);
    spec.xlen = x.size();
    spec.y = bytes_of(y);
    spec.ylen = y.size();
    cjose_err error{};
    return own(cjose_jwk_create_EC_spec(&spec, &error), error);
}

std::string member(const rapidjson::Value& jwk, const char* name) {
    const auto found = jwk.FindMember(name);
    return found != jwk.MemberEnd() && found->value.IsString()
               ? std::string(found->value.GetString(), found->value.GetStringLength())
               : std::string();
}

/// Nothing if it is not for verifying tokens by an algorithm of ours.
std::optional<Key> jwk_key(const rapidjson::Value& json, bool public_only) {
    if (!json.IsObject()) return std::nullopt;
    const std::string use = member(json, "use"), algorithm = member(json, "alg");
    if ((!use.empty() && use != "sig") || (!algorithm.empty() && !is_algorithm(algorithm)) ||
        (public_only && member(json, "kty") == "oct"))
        return std::nullopt;
    if (member(json, "kty") == "OKP") {
        EdKey key = member(json, "crv") == "Ed25519" ? ed25519_key(member(json, "x")) : nullptr;
        if (!key || (!algorithm.empty() && algorithm != "EdDSA")) return std::nullopt;
        return make_key(member(json, "kid"), std::move(key), algorithm);
    }
    rapidjson::StringBuffer text;
    rapidjson::Writer<rapidjson::StringBuffer> writer(text);
    json.Accept(writer);
    cjose_err error{};
    cjose_jwk_t* jwk = cjose_jwk_import(text.GetString(), text.GetSize(), &error);
    if (!jwk) return std::nullopt;
    try {
        return make_key(member(json, "kid"), own(jwk, error), algorithm);
    } catch (const std::runtime_error&) {
        return std::nullopt;
    }
}

}  // namespace

bool is_algorithm(std::string_view name) {
    for (const Algorithm& each : kAlgorithms)
        if (each.name == name) return true;
    return false;
}

Key secret_key(std::string id, std::string_view secret, std::string algorithm) {
    if (secret.empty()) throw std::runtime_error("the secret is empty");
    cjose_err error{};
    const auto* bytes = reinterpret_cast<const std::uint8_t*>(secret.data());
    cjose_jwk_t* jwk = cjose_jwk_create_oct_spec(bytes, secret.size(), &error);
    return make_key(std::move(id), own(jwk, error), std::move(algorithm));
}

Key pem_key(std::string id, std::string_view pem, std::string algorithm) {
    PublicKey key = read_pem(pem);
    switch (EVP_PKEY_get_base_id(key.get())) {
        case EVP_PKEY_RSA: return make_key(std::move(id), rsa_jwk(key), std::move(algorithm));
        case EVP_PKEY_EC: return make_key(std::move(id), ec_jwk(key), std::move(algorithm));
        case EVP_PKEY_ED25519:
            return make_key(std::move(id), EdKey(std::move(key)), std::move(algorithm));
        default: throw std::runtime_error("the key is neither of RSA, nor EC, nor Ed25519");
    }
}

std::vector<Key> jwks_keys(std::string_view json, bool public_only) {
    rapidjson::Document document;
    document.Parse(json.data(), json.size());
    if (document.HasParseError() || !document.IsObject())
        throw std::runtime_error("not the JSON of a JWK set");
    std::vector<Key> keys;
    const auto add = [&](const rapidjson::Value& jwk) {
        if (auto key = jwk_key(jwk, public_only)) keys.push_back(*std::move(key));
    };
    const auto set = document.FindMember("keys");
    if (set == document.MemberEnd()) add(document);
    else if (set->value.IsArray())
        for (const auto& jwk : set->value.GetArray()) add(jwk);
    if (keys.empty()) throw std::runtime_error("no key in it can verify tokens");
    return keys;
}

}  // namespace moonwire::jwt
