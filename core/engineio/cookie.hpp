#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace moonwire::engineio {

/// The cookie that a polling handshake sets, for load balancers that keep a client at one server by
/// it: its value is the session's id. None without a name.
struct SessionCookie {
    std::string name;
    std::string path = "/";
    std::string same_site = "Lax";  // empty: left out
    bool secure = false;
    std::optional<std::int64_t> max_age_seconds;  // none: until the browser closes

    bool enabled() const noexcept { return !name.empty(); }
    /// The Set-Cookie header's value (RFC 6265 section 4.1).
    std::string header(std::string_view value) const {
        std::string text = name + "=";
        text += value;
        if (max_age_seconds) text += "; Max-Age=" + std::to_string(*max_age_seconds);
        text += "; Path=" + path + "; HttpOnly";
        if (secure) text += "; Secure";
        if (!same_site.empty()) text += "; SameSite=" + same_site;
        return text;
    }
};

}  // namespace moonwire::engineio
