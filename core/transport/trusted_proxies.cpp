#include "core/transport/trusted_proxies.hpp"

#include <algorithm>
#include <charconv>
#include <optional>
#include <utility>

namespace moonwire::transport {
namespace {

constexpr std::string_view kUnix = "unix:";

std::string_view trim(std::string_view text) {
    const auto is_space = [](char c) { return c == ' ' || c == '\t'; };
    while (!text.empty() && is_space(text.front())) text.remove_prefix(1);
    while (!text.empty() && is_space(text.back())) text.remove_suffix(1);
    return text;
}

std::string_view unquote(std::string_view text) {
    text = trim(text);
    if (text.size() >= 2 && text.front() == '"' && text.back() == '"')
        text = text.substr(1, text.size() - 2);
    return text;
}

std::string lower(std::string_view text) {
    std::string lowered(text);
    for (char& c : lowered)
        if (c >= 'A' && c <= 'Z') c = static_cast<char>(c + 32);
    return lowered;
}

/// The items of a list that may be spread over several headers of the name.
std::vector<std::string_view> items_of(const HttpRequest& request, std::string_view name) {
    std::vector<std::string_view> items;
    for (const auto& [key, value] : request.headers) {
        if (lower(key) != name) continue;
        std::string_view rest = value;
        for (;;) {
            const std::size_t comma = rest.find(',');
            items.push_back(trim(rest.substr(0, comma)));
            if (comma == std::string_view::npos) break;
            rest.remove_prefix(comma + 1);
        }
    }
    return items;
}

/// Who asked one of the proxies, and how.
struct Hop {
    std::string_view address;
    std::string_view protocol;
};

Hop parse_forwarded(std::string_view element) {
    Hop hop;
    while (!element.empty()) {
        const std::size_t end = std::min(element.find(';'), element.size());
        const std::string_view pair = element.substr(0, end);
        element.remove_prefix(std::min(end + 1, element.size()));
        const std::size_t equals = pair.find('=');
        if (equals == std::string_view::npos) continue;
        const std::string name = lower(trim(pair.substr(0, equals)));
        if (name == "for") hop.address = unquote(pair.substr(equals + 1));
        if (name == "proto") hop.protocol = unquote(pair.substr(equals + 1));
    }
    return hop;
}

std::vector<Hop> hops_of(const HttpRequest& request) {
    std::vector<Hop> hops;
    for (const std::string_view element : items_of(request, "forwarded"))
        hops.push_back(parse_forwarded(element));
    if (!hops.empty()) return hops;
    for (const std::string_view address : items_of(request, "x-forwarded-for"))
        hops.push_back({address, {}});
    const auto protocols = items_of(request, "x-forwarded-proto");
    if (protocols.empty()) return hops;
    if (hops.empty()) hops.push_back({});
    // A list of the same length is a word a proxy; otherwise the nearest proxy's counts.
    for (std::size_t i = 0; i < hops.size(); ++i)
        hops[i].protocol = protocols.size() == hops.size() ? protocols[i] : protocols.back();
    return hops;
}

/// "192.0.2.1", "192.0.2.1:4711", "2001:db8::1" or "[2001:db8::1]:4711".
std::optional<IpAddress> parse_node(std::string_view node) {
    if (node.starts_with('[')) return IpAddress::parse(node.substr(1, node.find(']') - 1));
    const std::size_t colon = node.find(':');
    if (colon != std::string_view::npos && node.find(':', colon + 1) == std::string_view::npos)
        node = node.substr(0, colon);
    return IpAddress::parse(node);
}

}  // namespace

Result<TrustedProxies> TrustedProxies::parse(const std::vector<std::string>& list) {
    TrustedProxies proxies;
    for (const std::string& entry : list) {
        if (entry == kUnix) {
            proxies.unix_ = true;
            continue;
        }
        const std::size_t slash = entry.find('/');
        const auto address = IpAddress::parse(std::string_view(entry).substr(0, slash));
        const Error wrong{"\"" + entry + "\" is no address or network, as in \"10.0.0.0/8\""};
        if (!address) return wrong;
        const bool v4 = address->is_v4() && entry.find(':') == std::string::npos;
        unsigned bits = v4 ? 32 : 128;
        if (slash != std::string::npos) {
            const char* end = entry.data() + entry.size();
            unsigned given = 0;
            const auto [at, error] = std::from_chars(entry.data() + slash + 1, end, given);
            if (error != std::errc() || at != end || given > bits) return wrong;
            bits = given;
        }
        proxies.networks_.push_back({*address, v4 ? bits + kMappedBits : bits});
    }
    return proxies;
}

bool TrustedProxies::trusts(std::string_view text) const {
    if (text == kUnix) return unix_;
    const auto address = IpAddress::parse(text);
    if (!address) return false;
    return std::any_of(networks_.begin(), networks_.end(), [&](const Network& network) {
        return address->shares_prefix(network.address, network.bits);
    });
}

void TrustedProxies::apply(HttpRequest& request) const {
    if ((networks_.empty() && !unix_) || !trusts(request.remote_address)) return;
    const std::vector<Hop> hops = hops_of(request);
    for (std::size_t i = hops.size(); i-- > 0;) {
        if (!hops[i].protocol.empty()) {
            const std::string protocol = lower(hops[i].protocol);
            request.secure = protocol == "https" || protocol == "wss";
        }
        const auto address = parse_node(hops[i].address);
        if (!address) return;  // hidden or unknown: what the proxy before said stands
        request.remote_address = address->text();
        request.remote_port = 0;
        if (!trusts(request.remote_address)) return;
    }
}

}  // namespace moonwire::transport
