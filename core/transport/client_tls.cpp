#include "core/transport/client_tls.hpp"

#include <openssl/ssl.h>
#include <openssl/x509v3.h>

#include <boost/asio/ip/address.hpp>
#include <boost/system/system_error.hpp>

namespace moonwire::transport {
namespace {

constexpr unsigned char kProtocol[] = "\x08http/1.1";  // RFC 7301 section 3.1

}  // namespace

Result<std::shared_ptr<boost::asio::ssl::context>> make_client_tls(const std::string& ca_file) {
    namespace ssl = boost::asio::ssl;
    try {
        auto context = std::make_shared<ssl::context>(ssl::context::tls_client);
        SSL_CTX* native = context->native_handle();
        SSL_CTX_set_min_proto_version(native, TLS1_2_VERSION);
        SSL_CTX_set_mode(native, SSL_MODE_RELEASE_BUFFERS);
        SSL_CTX_set_alpn_protos(native, kProtocol, sizeof kProtocol - 1);
        context->set_verify_mode(ssl::verify_peer);
        context->set_default_verify_paths();
        boost::system::error_code error;
        if (!ca_file.empty()) context->load_verify_file(ca_file, error);
        if (error)
            return Error{ca_file + ": no certificates of authorities in PEM: " + error.message()};
        return context;
    } catch (const boost::system::system_error& error) {
        return Error{std::string("TLS: ") + error.what()};
    }
}

bool expect_host(ssl_st* session, const std::string& host) {
    boost::system::error_code no_address;
    boost::asio::ip::make_address(host, no_address);
    if (!no_address)  // RFC 6066 section 3: addresses are not named
        return X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(session), host.c_str()) == 1;
    std::string name = host;
    if (name.ends_with('.')) name.pop_back();
    SSL_set_hostflags(session, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
    return SSL_set_tlsext_host_name(session, name.c_str()) == 1 &&
           SSL_set1_host(session, name.c_str()) == 1;
}

std::string handshake_problem(ssl_st* session, boost::system::error_code error) {
    if (const long verdict = SSL_get_verify_result(session); verdict != X509_V_OK)
        return std::string("certificate not accepted: ") + X509_verify_cert_error_string(verdict);
    return "TLS handshake failed: " + error.message();
}

}  // namespace moonwire::transport
