#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "core/base/ip_address.hpp"
#include "core/base/result.hpp"
#include "core/transport/http.hpp"

namespace moonwire::transport {

/// The proxies in front of the broker whose word on a request's origin counts. Immutable; any
/// thread. Whatever others say in such headers is ignored.
class TrustedProxies {
public:
    TrustedProxies() = default;
    /// Of addresses ("127.0.0.1", "::1"), networks ("10.0.0.0/8") and "unix:", which is whoever
    /// comes over a Unix-domain socket.
    static Result<TrustedProxies> parse(const std::vector<std::string>& list);

    bool trusts(std::string_view address) const;
    /// Sets the request's address and `secure` from Forwarded (RFC 7239), or else X-Forwarded-For
    /// and X-Forwarded-Proto: from the right, up to the first address that is not trusted.
    void apply(HttpRequest& request) const;

private:
    struct Network {
        IpAddress address;
        unsigned bits;
    };
    std::vector<Network> networks_;
    bool unix_ = false;
};

}  // namespace moonwire::transport
