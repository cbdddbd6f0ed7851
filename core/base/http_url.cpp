#include "core/base/http_url.hpp"

#include <algorithm>
#include <charconv>

namespace moonwire {
namespace {

constexpr std::size_t kMaxQuotedBytes = 200;

/// ASCII only, whatever the locale says.
char lower(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + ('a' - 'A')) : c; }

bool is_alphanumeric(char c) {
    return (c >= '0' && c <= '9') || (lower(c) >= 'a' && lower(c) <= 'z');
}

/// What may stand in a URL as it is; a browser would encode the others.
bool is_url_text(std::string_view text) {
    return std::all_of(text.begin(), text.end(), [](char c) {
        constexpr std::string_view kRefused = "\"<>\\^`{}";
        return c > 0x20 && c < 0x7f && kRefused.find(c) == std::string_view::npos;
    });
}

bool is_host_name(std::string_view host) {
    return !host.empty() && host.size() <= 255 &&
           std::all_of(host.begin(), host.end(), [](char c) {
               return is_alphanumeric(c) || c == '-' || c == '.' || c == '_';
           });
}

bool is_address_text(std::string_view host) {
    return !host.empty() && std::all_of(host.begin(), host.end(), [](char c) {
        return (c >= '0' && c <= '9') || (lower(c) >= 'a' && lower(c) <= 'f') || c == ':' ||
               c == '.';
    });
}

/// "host:port" into the two; returns what is wrong, or null.
const char* read_authority(std::string_view authority, HttpUrl& url) {
    if (authority.find('@') != std::string_view::npos)
        return "a name and a password don't belong in it (use the authorization header)";
    std::string_view host = authority, port;
    if (authority.starts_with('[')) {
        const auto end = authority.find(']');
        if (end == std::string_view::npos) return "its address has no ]";
        host = authority.substr(1, end - 1);
        port = authority.substr(end + 1);
        if (!is_address_text(host) || host.find(':') == host.npos)
            return "its address is none of IPv6";
    } else {
        host = authority.substr(0, authority.find(':'));
        port = authority.substr(host.size());
        if (host.empty()) return "it has no host";
        if (!is_host_name(host)) return "its host has characters that a name can't have";
    }
    url.host = host;
    std::transform(url.host.begin(), url.host.end(), url.host.begin(), lower);
    if (port.empty() || port == ":") return nullptr;
    const char* end = port.data() + port.size();
    const auto [after, error] = std::from_chars(port.data() + 1, end, url.port);
    if (port.front() != ':' || error != std::errc() || after != end || url.port == 0)
        return "its port is no number from 1 to 65535";
    return nullptr;
}

const char* read_url(std::string_view text, HttpUrl& url) {
    if (text.size() > kMaxUrlBytes) return "it is too long";
    const auto colon = text.find("://");
    std::string scheme(text.substr(0, std::min(colon, text.size())));
    std::transform(scheme.begin(), scheme.end(), scheme.begin(), lower);
    if (colon == std::string_view::npos || (scheme != "http" && scheme != "https"))
        return "it must begin with http:// or https://";
    url.secure = scheme == "https";
    url.port = url.secure ? 443 : 80;
    std::string_view rest = text.substr(colon + 3);
    rest = rest.substr(0, rest.find('#'));
    const std::string_view authority = rest.substr(0, rest.find_first_of("/?"));
    if (const char* problem = read_authority(authority, url)) return problem;
    const std::string_view target = rest.substr(authority.size());
    if (!is_url_text(target)) return "it has characters that must be encoded, as in %20";
    url.target = target.starts_with('/') ? target : "/" + std::string(target);
    return nullptr;
}

}  // namespace

std::string HttpUrl::authority() const {
    std::string text = host.find(':') == std::string::npos ? host : "[" + host + "]";
    if (port != (secure ? 443 : 80)) text += ":" + std::to_string(port);
    return text;
}

Result<HttpUrl> parse_http_url(std::string_view text) {
    HttpUrl url;
    const char* problem = read_url(text, url);
    if (!problem) return url;
    std::string quoted(text.substr(0, kMaxQuotedBytes));
    if (quoted.size() < text.size()) quoted += "…";
    return Error{"bad URL \"" + quoted + "\": " + problem};
}

}  // namespace moonwire
