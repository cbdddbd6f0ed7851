#pragma once

#include <chrono>
#include <functional>
#include <string>
#include <utility>
#include <vector>

namespace moonwire::plugin {

using HttpHeaders = std::vector<std::pair<std::string, std::string>>;

/// A request that the broker got.
struct HttpRequest {
    std::string method, path, query;  // the query as it came, without '?'
    HttpHeaders headers;
    std::string body;
    std::string address;  // the client's, behind trusted proxies, too
    bool secure = false;
};
struct HttpResponse {
    unsigned status = 200;
    HttpHeaders headers = {};
    std::string body = {};
};

/// Called once, from any thread, now or later; further calls do nothing. When every copy is gone
/// uncalled, the client gets 500.
using Respond = std::function<void(HttpResponse)>;

/// A path that a plugin serves, beside the broker's own and before the scripts' routes.
struct HttpRoute {
    std::string path;  // "/metrics"; "/admin/", with a slash at its end, means all below, too
    /// Others get 405. GET answers HEAD, too.
    std::vector<std::string> methods = {"GET"};
    /// Called on the connection's reactor, which it must not block. An exception is logged with the
    /// plugin's name, and answered with 500.
    std::function<void(HttpRequest, Respond)> handle;
};

/// A request that a plugin sends, by the broker's client ([http] in moonwire.toml).
struct OutgoingHttp {
    std::string method = "GET", url = {};
    HttpHeaders headers = {};
    std::string body = {};
    std::chrono::milliseconds timeout{30'000};  // for all of it
};
struct HttpAnswer {
    std::string error = {};  // why there is no response: "timeout", "connection refused"
    HttpResponse response = {};
};

}  // namespace moonwire::plugin
