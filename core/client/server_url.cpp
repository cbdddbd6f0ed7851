#include "core/client/server_url.hpp"

#include "core/base/url.hpp"

namespace moonwire::client {

Result<HttpUrl> parse_server_url(std::string_view text, transport::Headers& query) {
    // WebSocket's schemes are HTTP's by another name.
    std::string as_http(text);
    if (text.starts_with("ws://") || text.starts_with("wss://")) as_http.replace(0, 2, "http");
    auto url = parse_http_url(as_http);
    if (!url) return url.error();
    const std::string_view target = url->target;
    const std::string_view path = target.substr(0, target.find('?'));
    if (path != "/")
        return Error{"\"" + std::string(text) +
                     "\": no path, please: the namespace is the next argument, the server's path "
                     "is --path"};
    if (path.size() < target.size()) query = parse_query(target.substr(path.size() + 1));
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
