#include "core/transport/tls_context.hpp"

#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <fstream>
#include <string_view>

#include "core/transport/tls_channel.hpp"

namespace moonwire::transport {
namespace {

/// TLS 1.2 as Mozilla's "intermediate" recommends it, without finite-field Diffie-Hellman.
constexpr const char* kModernCiphers =
    "ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-RSA-AES128-GCM-SHA256:ECDHE-ECDSA-AES256-GCM-SHA384:"
    "ECDHE-RSA-AES256-GCM-SHA384:ECDHE-ECDSA-CHACHA20-POLY1305:ECDHE-RSA-CHACHA20-POLY1305";
constexpr const char* kCurves = "X25519:prime256v1:secp384r1";
constexpr unsigned char kProtocol[] = "\x08http/1.1";  // RFC 7301 section 3.1
constexpr unsigned char kSessionContext[] = "moonwire";

std::string openssl_reason() {
    const unsigned long code = ERR_peek_last_error();
    ERR_clear_error();
    if (ERR_SYSTEM_ERROR(code)) return std::strerror(ERR_GET_REASON(code));
    const char* reason = code ? ERR_reason_error_string(code) : nullptr;
    return reason ? reason : "unknown error";
}

/// OpenSSL's own words for a file that can't be opened say little.
Result<void> check_readable(const std::string& path) {
    errno = 0;
    std::ifstream file(path);
    char byte;
    if (file && file.read(&byte, 1)) return {};
    return Error{path + ": " + (errno ? std::strerror(errno) : "the file is empty")};
}

/// ALPN: HTTP/1.1, or nothing in common, which HTTP clients take for it too.
int select_protocol(SSL*, const unsigned char** out, unsigned char* size, const unsigned char* in,
                    unsigned in_size, void*) {
    unsigned char* chosen = nullptr;
    if (SSL_select_next_proto(&chosen, size, kProtocol, sizeof kProtocol - 1, in, in_size) !=
        OPENSSL_NPN_NEGOTIATED)
        return SSL_TLSEXT_ERR_NOACK;
    *out = chosen;
    return SSL_TLSEXT_ERR_OK;
}

/// SNI (RFC 6066 section 3): the first certificate that is for the name; else the first of all.
int select_certificate(SSL* session, int*, void* argument) {
    const auto& contexts = *static_cast<const std::vector<SSL_CTX*>*>(argument);
    const char* name = SSL_get_servername(session, TLSEXT_NAMETYPE_host_name);
    if (!name) return SSL_TLSEXT_ERR_NOACK;
    for (SSL_CTX* context : contexts) {
        if (X509_check_host(SSL_CTX_get0_certificate(context), name, 0, 0, nullptr) == 1) {
            SSL_set_SSL_CTX(session, context);
            return SSL_TLSEXT_ERR_OK;
        }
    }
    return SSL_TLSEXT_ERR_NOACK;
}

Result<void> set_ciphers(SSL_CTX* context, const std::string& names) {
    // TLS 1.3 has a list of its own; its names begin with TLS_.
    std::string tls_1_2, tls_1_3;
    for (std::string_view rest = names; !rest.empty();) {
        const std::string_view name = rest.substr(0, rest.find(':'));
        rest.remove_prefix(std::min(name.size() + 1, rest.size()));
        std::string& list = name.starts_with("TLS_") ? tls_1_3 : tls_1_2;
        if (!list.empty()) list += ':';
        list += name;
    }
    if (SSL_CTX_set_cipher_list(context, tls_1_2.empty() ? kModernCiphers : tls_1_2.c_str()) != 1 ||
        (!tls_1_3.empty() && SSL_CTX_set_ciphersuites(context, tls_1_3.c_str()) != 1))
        return Error{"ciphers: none of \"" + names + "\" is known"};
    return {};
}

Result<void> set_client_authorities(SSL_CTX* context, const TlsOptions& options) {
    if (options.client_certificate == ClientCertificate::none) return {};
    const std::string& path = options.client_ca;
    if (auto readable = check_readable(path); !readable) return readable;
    STACK_OF(X509_NAME)* names = SSL_load_client_CA_file(path.c_str());
    if (!names || SSL_CTX_load_verify_file(context, path.c_str()) != 1) {
        sk_X509_NAME_pop_free(names, X509_NAME_free);
        return Error{path + ": no certificates of authorities: " + openssl_reason()};
    }
    SSL_CTX_set_client_CA_list(context, names);
    const bool required = options.client_certificate == ClientCertificate::required;
    SSL_CTX_set_verify(context, SSL_VERIFY_PEER | (required ? SSL_VERIFY_FAIL_IF_NO_PEER_CERT : 0),
                       nullptr);
    return {};
}

}  // namespace

TlsContext::~TlsContext() {
    for (SSL_CTX* context : contexts_) SSL_CTX_free(context);
}

Result<std::shared_ptr<const TlsContext>> TlsContext::load(const TlsOptions& options) {
    const std::shared_ptr<TlsContext> context(new TlsContext);
    for (const TlsCertificate& certificate : options.certificates)
        if (auto added = context->add(certificate, options); !added) return added.error();
    SSL_CTX* first = context->contexts_.front();
    SSL_CTX_set_tlsext_servername_callback(first, select_certificate);
    SSL_CTX_set_tlsext_servername_arg(first, &context->contexts_);
    return std::shared_ptr<const TlsContext>(context);
}

Result<void> TlsContext::add(const TlsCertificate& files, const TlsOptions& options) {
    ERR_clear_error();
    SSL_CTX* context = SSL_CTX_new(TLS_server_method());
    if (!context) return Error{"TLS: " + openssl_reason()};
    contexts_.push_back(context);
    SSL_CTX_set_min_proto_version(context, options.tls_1_2 ? TLS1_2_VERSION : TLS1_3_VERSION);
    // A peer that just closes is no worse than one that says so: both protocols on top say
    // themselves where a message ends.
    SSL_CTX_set_options(
        context, SSL_OP_NO_COMPRESSION | SSL_OP_NO_RENEGOTIATION | SSL_OP_IGNORE_UNEXPECTED_EOF);
    SSL_CTX_set_mode(context, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER |
                                  SSL_MODE_RELEASE_BUFFERS);
    SSL_CTX_set_read_ahead(context, 1);
    SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_OFF);  // tickets keep no state here
    SSL_CTX_set_session_id_context(context, kSessionContext, sizeof kSessionContext - 1);
    SSL_CTX_set_alpn_select_cb(context, select_protocol, nullptr);
    SSL_CTX_set1_groups_list(context, kCurves);
    if (auto set = set_ciphers(context, options.ciphers); !set) return set;

    const std::string& key = files.key.empty() ? files.certificate : files.key;
    for (const std::string* path : {&files.certificate, &key})
        if (auto readable = check_readable(*path); !readable) return readable;
    if (SSL_CTX_use_certificate_chain_file(context, files.certificate.c_str()) != 1)
        return Error{files.certificate + ": no certificate in PEM: " + openssl_reason()};
    // An encrypted key would have OpenSSL ask at the terminal.
    SSL_CTX_set_default_passwd_cb(context, [](char*, int, int, void*) { return -1; });
    if (SSL_CTX_use_PrivateKey_file(context, key.c_str(), SSL_FILETYPE_PEM) != 1) {
        if (ERR_GET_REASON(ERR_peek_last_error()) == X509_R_KEY_VALUES_MISMATCH)
            return Error{key + ": not the key of the certificate " + files.certificate};
        return Error{key + ": no private key in PEM without a password: " + openssl_reason()};
    }
    return set_client_authorities(context, options);
}

std::unique_ptr<TlsChannel> TlsContext::accept(int descriptor) const {
    SSL* session = SSL_new(contexts_.front());
    if (!session) return nullptr;
    SSL_set_accept_state(session);
    return std::make_unique<TlsChannel>(session, descriptor, shared_from_this());
}

}  // namespace moonwire::transport
