#include "tests/transport/tls_client.hpp"

#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <signal.h>
#include <stdlib.h>

#include <cstdio>
#include <stdexcept>

namespace moonwire::test {
namespace {

void add_extension(X509* certificate, X509* issuer, int kind, const std::string& value) {
    X509V3_CTX context;
    X509V3_set_ctx(&context, issuer, certificate, nullptr, nullptr, 0);
    X509_EXTENSION* extension = X509V3_EXT_conf_nid(nullptr, &context, kind, value.c_str());
    X509_add_ext(certificate, extension, -1);
    X509_EXTENSION_free(extension);
}

X509* make_certificate(const std::string& common_name, EVP_PKEY* key, long serial, X509* issuer,
                       EVP_PKEY* issuer_key, const std::string& host) {
    X509* made = X509_new();
    X509_set_version(made, 2);
    ASN1_INTEGER_set(X509_get_serialNumber(made), serial);
    X509_gmtime_adj(X509_getm_notBefore(made), -3600);
    X509_gmtime_adj(X509_getm_notAfter(made), 24 * 3600);
    X509_NAME* name = X509_get_subject_name(made);
    X509_NAME_add_entry_by_txt(name, "O", MBSTRING_UTF8,
                               reinterpret_cast<const unsigned char*>("Test"), -1, -1, 0);
    X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_UTF8,
                               reinterpret_cast<const unsigned char*>(common_name.c_str()), -1, -1,
                               0);
    X509_set_issuer_name(made, X509_get_subject_name(issuer ? issuer : made));
    X509_set_pubkey(made, key);
    add_extension(made, issuer ? issuer : made, NID_basic_constraints,
                  issuer ? "CA:FALSE" : "critical,CA:TRUE");
    if (!host.empty()) add_extension(made, issuer, NID_subject_alt_name, "DNS:" + host);
    X509_sign(made, issuer_key, EVP_sha256());
    return made;
}

}  // namespace

TestAuthority::TestAuthority() : key_(EVP_EC_gen("P-256")) {
    std::string name = (std::filesystem::temp_directory_path() / "moonwire-tls-XXXXXX").string();
    folder_ = mkdtemp(name.data());
    certificate_ = make_certificate("Test CA", key_, serial_++, nullptr, key_, "");
    write(certificate_, "ca.pem");
}

TestAuthority::~TestAuthority() {
    X509_free(certificate_);
    EVP_PKEY_free(key_);
    std::filesystem::remove_all(folder_);
}

transport::TlsCertificate TestAuthority::issue(const std::string& file_name,
                                               const std::string& host,
                                               const std::string& common_name) {
    EVP_PKEY* key = EVP_EC_gen("P-256");
    X509* certificate = make_certificate(common_name, key, serial_++, certificate_, key_, host);
    write(certificate, file_name + ".pem");
    write(key, file_name + ".key");
    X509_free(certificate);
    EVP_PKEY_free(key);
    return {path(file_name + ".pem"), path(file_name + ".key")};
}

void TestAuthority::write(X509* certificate, const std::string& name) {
    std::FILE* file = std::fopen(path(name).c_str(), "w");
    PEM_write_X509(file, certificate);
    std::fclose(file);
}

void TestAuthority::write(EVP_PKEY* key, const std::string& name) {
    std::FILE* file = std::fopen(path(name).c_str(), "w");
    PEM_write_PrivateKey(file, key, nullptr, nullptr, 0, nullptr, nullptr);
    std::fclose(file);
}

TlsClient::TlsClient(std::uint16_t port, const TlsClientOptions& options)
    : Client(port, options.receive_buffer_bytes),
      context_(SSL_CTX_new(TLS_client_method())),
      session_(nullptr) {
    ::signal(SIGPIPE, SIG_IGN);               // OpenSSL's own sockets raise it
    SSL_CTX_set_security_level(context_, 0);  // old versions may be tried
    if (options.max_version) {
        SSL_CTX_set_min_proto_version(context_, options.max_version);
        SSL_CTX_set_max_proto_version(context_, options.max_version);
    }
    if (!options.certificate.certificate.empty()) {
        SSL_CTX_use_certificate_chain_file(context_, options.certificate.certificate.c_str());
        SSL_CTX_use_PrivateKey_file(context_, options.certificate.key.c_str(), SSL_FILETYPE_PEM);
    }
    static const unsigned char kProtocols[] = "\x02h2\x08http/1.1";
    SSL_CTX_set_alpn_protos(context_, kProtocols, sizeof kProtocols - 1);
    session_ = SSL_new(context_);
    if (!options.host.empty()) SSL_set_tlsext_host_name(session_, options.host.c_str());
    SSL_set_fd(session_, fd_);
    ERR_clear_error();
    connected_ = SSL_connect(session_) == 1;
}

TlsClient::~TlsClient() {
    SSL_free(session_);
    SSL_CTX_free(context_);
}

std::string TlsClient::server_name() const {
    X509* certificate = SSL_get0_peer_certificate(session_);
    char name[256] = "";
    if (certificate)
        X509_NAME_get_text_by_NID(X509_get_subject_name(certificate), NID_commonName, name,
                                  sizeof name);
    return name;
}

std::string TlsClient::version() const { return SSL_get_version(session_); }

std::string TlsClient::protocol() const {
    const unsigned char* name = nullptr;
    unsigned size = 0;
    SSL_get0_alpn_selected(session_, &name, &size);
    return {reinterpret_cast<const char*>(name), size};
}

bool TlsClient::goodbye() {
    ERR_clear_error();
    int result = SSL_shutdown(session_);
    if (result == 0) result = SSL_shutdown(session_);
    return result == 1;
}

ssize_t TlsClient::read_some(char* to, std::size_t size) {
    ERR_clear_error();
    return SSL_read(session_, to, static_cast<int>(size));
}

ssize_t TlsClient::write_some(const char* from, std::size_t size) {
    ERR_clear_error();
    return SSL_write(session_, from, static_cast<int>(size));
}

}  // namespace moonwire::test
