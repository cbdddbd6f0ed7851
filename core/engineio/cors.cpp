#include "core/engineio/cors.hpp"

#include <algorithm>

namespace moonwire::engineio {

transport::Headers CorsPolicy::headers_for(const transport::HttpRequest& request) const {
    transport::Headers headers;
    if (!enabled()) return headers;
    const bool any = std::find(origins_.begin(), origins_.end(), "*") != origins_.end();
    const std::string origin(request.header("origin"));
    if (any && !credentials_) {
        headers.emplace_back("access-control-allow-origin", "*");
    } else {
        headers.emplace_back("vary", "Origin");
        const bool listed = std::find(origins_.begin(), origins_.end(), origin) != origins_.end();
        if (origin.empty() || (!any && !listed)) return headers;
        headers.emplace_back("access-control-allow-origin", origin);
    }
    if (credentials_) headers.emplace_back("access-control-allow-credentials", "true");
    return headers;
}

bool CorsPolicy::is_preflight(const transport::HttpRequest& request) {
    return request.method == "OPTIONS";
}

transport::HttpResponse CorsPolicy::preflight(const transport::HttpRequest& request) const {
    transport::HttpResponse response;
    response.status = 204;
    response.headers = headers_for(request);
    response.headers.emplace_back("access-control-allow-methods", "GET,HEAD,PUT,PATCH,POST,DELETE");
    if (const auto asked = request.header("access-control-request-headers"); !asked.empty()) {
        response.headers.emplace_back("vary", "Access-Control-Request-Headers");
        response.headers.emplace_back("access-control-allow-headers", std::string(asked));
    }
    return response;
}

}  // namespace moonwire::engineio
