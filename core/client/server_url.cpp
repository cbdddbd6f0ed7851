#include "core/client/server_url.hpp"

#include <charconv>

#include "core/base/url.hpp"

namespace moonwire::client {

Result<ServerUrl> ServerUrl::parse(std::string_view text) {
    const auto wrong = [&](const std::string& why) {
        return Error{"\"" + std::string(text) + "\": " + why};
    };
    ServerUrl url;
    const std::size_t colon = text.find("://");
    const std::string_view scheme = text.substr(0, colon == text.npos ? 0 : colon);
    if (scheme == "https" || scheme == "wss") url.server.secure = true;
    else if (scheme != "http" && scheme != "ws")
        return wrong("a URL begins with http://, https://, ws:// or wss://");
    url.server.port = url.server.secure ? 443 : 80;

    std::string_view rest = text.substr(colon + 3);
    rest = rest.substr(0, rest.find('#'));
    if (const auto mark = rest.find('?'); mark != rest.npos) {
        url.query = parse_query(rest.substr(mark + 1));
        rest = rest.substr(0, mark);
    }
    const std::size_t slash = rest.find('/');
    if (slash != rest.npos && rest.substr(slash) != "/")
        return wrong("no path, please: the namespace is the next argument, the server's path is "
                     "--path");
    rest = rest.substr(0, slash);
    if (rest.find('@') != rest.npos) return wrong("user and password belong in --header");

    std::string_view host = rest, port;
    if (host.starts_with('[')) {
        const std::size_t end = host.find(']');
        if (end == host.npos) return wrong("a '[' without its ']'");
        port = host.substr(end + 1);
        host = host.substr(1, end - 1);
    } else if (const auto mark = host.find(':'); mark != host.npos) {
        port = host.substr(mark);
        host = host.substr(0, mark);
    }
    if (host.empty()) return wrong("no host");
    url.server.host = host;
    if (!port.empty()) {
        const char* end = port.data() + port.size();
        const auto [read, error] = std::from_chars(port.data() + 1, end, url.server.port);
        if (port[0] != ':' || error != std::errc() || read != end || url.server.port == 0)
            return wrong("no valid port");
    }
    return url;
}

std::string engine_target(std::string_view path, std::string_view transport,
                          const transport::Headers& query) {
    std::string target(path);
    target += "?EIO=4&transport=";
    target += transport;
    for (const auto& [name, value] : query)
        target += "&" + url_encode(name) + "=" + url_encode(value);
    return target;
}

}  // namespace moonwire::client
