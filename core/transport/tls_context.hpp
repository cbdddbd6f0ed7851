#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "core/base/result.hpp"

struct ssl_ctx_st;

namespace moonwire::transport {

class TlsChannel;

/// A certificate chain and its private key, each a PEM file; `key` empty: both are in one file.
struct TlsCertificate {
    std::string certificate;
    std::string key;
};

enum class ClientCertificate : std::uint8_t {
    none,      // not asked for
    optional,  // asked for, and checked if there is one
    required,
};

/// How to serve TLS; off while there is no certificate.
struct TlsOptions {
    std::string host;           // empty: the plain listener's
    std::uint16_t port = 3443;  // 0: the kernel picks one
    /// The first answers clients that name no host, or one that no certificate is for.
    std::vector<TlsCertificate> certificates;
    std::string client_ca;  // PEM file of the authorities that client certificates need
    ClientCertificate client_certificate = ClientCertificate::none;
    bool tls_1_2 = true;  // false: TLS 1.3 only
    std::string ciphers;  // OpenSSL's names, separated by colons; empty: kModernCiphers

    bool enabled() const noexcept { return !certificates.empty(); }
};

/// The certificates and rules of the TLS listener, as they were read from their files.
///
/// Immutable; any thread. Reading them anew makes another one, and the sessions of the old one go
/// on. Failure: `load` names the file and what is wrong with it.
class TlsContext : public std::enable_shared_from_this<TlsContext> {
public:
    static Result<std::shared_ptr<const TlsContext>> load(const TlsOptions& options);
    ~TlsContext();
    TlsContext(const TlsContext&) = delete;
    TlsContext& operator=(const TlsContext&) = delete;

    /// The TLS side of an accepted connection; null when memory is out.
    std::unique_ptr<TlsChannel> accept(int descriptor) const;

private:
    TlsContext() = default;
    Result<void> add(const TlsCertificate& certificate, const TlsOptions& options);

    std::vector<ssl_ctx_st*> contexts_;  // one a certificate
};

}  // namespace moonwire::transport
