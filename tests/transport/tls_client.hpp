#pragma once

#include <cstdint>
#include <filesystem>
#include <string>

#include "core/transport/tls_context.hpp"
#include "tests/transport/client.hpp"

struct ssl_st;
struct ssl_ctx_st;
struct evp_pkey_st;
struct x509_st;

namespace moonwire::test {

/// An authority whose certificates live in a folder that goes with the test.
class TestAuthority {
public:
    TestAuthority();
    ~TestAuthority();
    TestAuthority(const TestAuthority&) = delete;
    TestAuthority& operator=(const TestAuthority&) = delete;

    /// Its own certificate.
    std::string file() const { return path("ca.pem"); }
    std::string path(const std::string& name) const { return folder_ / name; }
    /// A certificate for this host name (empty: none) with this subject name, signed by the
    /// authority; a second one with the same file name replaces the first.
    transport::TlsCertificate issue(const std::string& file_name, const std::string& host,
                                    const std::string& common_name);

private:
    void write(x509_st* certificate, const std::string& name);
    void write(evp_pkey_st* key, const std::string& name);

    std::filesystem::path folder_;
    evp_pkey_st* key_;
    x509_st* certificate_;
    long serial_ = 1;
};

struct TlsClientOptions {
    std::string host{};                       // SNI; empty: none
    transport::TlsCertificate certificate{};  // shown to the server
    int max_version = 0;                      // OpenSSL's TLS1_1_VERSION and so on; 0: the newest
    int receive_buffer_bytes = 0;
};

/// A Client over TLS, which believes any certificate. A refused handshake shows in the first read.
class TlsClient final : public Client {
public:
    TlsClient(std::uint16_t port, const TlsClientOptions& options = {});
    ~TlsClient() override;

    bool connected() const { return connected_; }
    /// Common name of the server's certificate.
    std::string server_name() const;
    std::string version() const;
    std::string protocol() const;  // ALPN
    /// Ends the TLS stream but not the connection; true once the server has done the same.
    bool goodbye();

protected:
    ssize_t read_some(char* to, std::size_t size) override;
    ssize_t write_some(const char* from, std::size_t size) override;

private:
    ssl_ctx_st* context_;
    ssl_st* session_;
    bool connected_ = false;
};

}  // namespace moonwire::test
