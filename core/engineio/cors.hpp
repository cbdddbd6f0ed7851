#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "core/transport/http.hpp"

namespace moonwire::engineio {

/// Which other origins' pages may read our answers (the Fetch standard's CORS protocol). Immutable.
class CorsPolicy {
public:
    CorsPolicy() = default;
    /// `origins`: exact origins, or "*" for any. With credentials a star answers with the asking
    /// origin, as browsers demand. No origins: no CORS headers at all.
    CorsPolicy(std::vector<std::string> origins, bool credentials)
        : origins_(std::move(origins)), credentials_(credentials) {}

    bool enabled() const noexcept { return !origins_.empty(); }
    /// The headers that an answer to this request carries; a foreign origin merely gets no
    /// permission.
    transport::Headers headers_for(const transport::HttpRequest& request) const;
    static bool is_preflight(const transport::HttpRequest& request);
    transport::HttpResponse preflight(const transport::HttpRequest& request) const;

private:
    std::vector<std::string> origins_;
    bool credentials_ = false;
};

}  // namespace moonwire::engineio
