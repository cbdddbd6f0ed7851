#include "plugins/jwt/eddsa.hpp"

#include <cjose/base64.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <rapidjson/document.h>

#include <cstdlib>

namespace moonwire::jwt {
namespace {

constexpr std::size_t kKeyBytes = 32;

const unsigned char* bytes_of(const std::string& text) {
    return reinterpret_cast<const unsigned char*>(text.data());
}

std::optional<std::string> decode(std::string_view text) {
    std::uint8_t* bytes = nullptr;
    std::size_t size = 0;
    cjose_err error{};
    if (!cjose_base64url_decode(text.data(), text.size(), &bytes, &size, &error))
        return std::nullopt;
    std::string decoded(reinterpret_cast<const char*>(bytes), size);
    std::free(bytes);
    return decoded;
}

/// The member's text, or nothing.
std::string_view text_of(const rapidjson::Value& object, const char* name) {
    const auto found = object.FindMember(name);
    if (found == object.MemberEnd() || !found->value.IsString()) return {};
    return {found->value.GetString(), found->value.GetStringLength()};
}

}  // namespace

EdKey ed25519_key(std::string_view x) {
    const auto raw = decode(x);
    if (!raw || raw->size() != kKeyBytes) return nullptr;
    EdKey key(EVP_PKEY_new_raw_public_key(EVP_PKEY_ED25519, nullptr, bytes_of(*raw), raw->size()),
              [](EVP_PKEY* each) { EVP_PKEY_free(each); });
    ERR_clear_error();
    return key;
}

std::optional<EdToken> read_eddsa(std::string_view token) {
    const std::size_t first = token.find('.'), last = token.rfind('.');
    if (first == token.npos || last == first || token.find('.', first + 1) != last)
        return std::nullopt;
    const auto header_json = decode(token.substr(0, first));
    if (!header_json) return std::nullopt;
    rapidjson::Document header;
    header.Parse<rapidjson::kParseIterativeFlag>(header_json->data(), header_json->size());
    if (header.HasParseError() || !header.IsObject() || text_of(header, "alg") != "EdDSA")
        return std::nullopt;
    auto claims = decode(token.substr(first + 1, last - first - 1));
    auto signature = decode(token.substr(last + 1));
    if (!claims || !signature) return std::nullopt;
    return EdToken{std::string(text_of(header, "kid")), header.HasMember("crit"),
                   std::string(token.substr(0, last)), *std::move(claims), *std::move(signature)};
}

bool holds(const EdToken& token, const EdKey& key) {
    const std::unique_ptr<EVP_MD_CTX, decltype(&EVP_MD_CTX_free)> context(EVP_MD_CTX_new(),
                                                                          EVP_MD_CTX_free);
    const bool good =
        context && EVP_DigestVerifyInit(context.get(), nullptr, nullptr, nullptr, key.get()) == 1 &&
        EVP_DigestVerify(context.get(), bytes_of(token.signature), token.signature.size(),
                         bytes_of(token.signed_text), token.signed_text.size()) == 1;
    ERR_clear_error();
    return good;
}

}  // namespace moonwire::jwt
