#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "core/base/result.hpp"

namespace moonwire {

/// An absolute URL of HTTP, taken apart (RFC 3986).
struct HttpUrl {
    bool secure = false;
    std::string host;        // in lower case; an IPv6 address without its brackets
    std::uint16_t port = 0;  // 80 or 443 unless named
    std::string target;      // path and query: "/" at least; a fragment is dropped

    /// As the Host header has it: the port only if it is not the scheme's own.
    std::string authority() const;
};

inline constexpr std::size_t kMaxUrlBytes = 8192;

/// The error quotes the URL and says what is wrong with it: no http or https, no host, a name and
/// password in it, characters that a URL must encode, more than kMaxUrlBytes.
Result<HttpUrl> parse_http_url(std::string_view url);

}  // namespace moonwire
