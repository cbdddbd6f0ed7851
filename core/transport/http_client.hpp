#pragma once

#include <chrono>
#include <cstddef>
#include <memory>
#include <string>
#include <vector>

#include "core/base/function.hpp"
#include "core/base/http_url.hpp"
#include "core/base/reactor.hpp"
#include "core/base/result.hpp"
#include "core/transport/http.hpp"

namespace moonwire::transport {

struct HttpClientOptions {
    std::string ca_file;  // PEM: authorities to trust beside the system's; empty: none
    bool verify = true;   // false: any certificate is believed
    std::size_t max_header_bytes = 64 * 1024;
    std::size_t max_body_bytes = 8 * 1024 * 1024;  // of a response
    // A reactor's:
    std::size_t max_requests = 256;                // at once; beyond: "busy"
    std::size_t max_idle = 64;                     // connections kept for later
    std::size_t max_idle_per_host = 8;
    std::chrono::milliseconds idle_timeout{30'000};
};

struct OutgoingRequest {
    std::string method = "GET";
    HttpUrl url;
    Headers headers;  // without host, connection, content-length and transfer-encoding
    std::string body;
    Duration timeout = std::chrono::seconds(30);  // look-up to last byte
};
struct OutgoingResponse {
    unsigned status = 0;
    Headers headers;  // names in lower case, in order
    std::string body;
};

/// The way out over HTTP/1.1 and HTTPS.
///
/// Each request stays on the reactor that it was made on, which keeps connections for later ones
/// to the same host. Redirects are not followed, nor cookies kept, nor compression asked for. A
/// kept connection that ends before it has answered anything is no failure: a request that may be
/// repeated (all but POST and PATCH) is made once more on a fresh one. Errors are texts for the
/// script's author: "timeout", "busy", "connection refused", "host not found", …
///
/// The reactors are AsioReactors and outlive this; `open` comes before the first request.
class HttpClient {
public:
    HttpClient(HttpClientOptions options, const std::vector<Reactor*>& reactors);
    ~HttpClient();  // stops
    HttpClient(const HttpClient&) = delete;
    HttpClient& operator=(const HttpClient&) = delete;

    /// Reads the authorities; an error names the file.
    Result<void> open();
    /// Called on `home`; `done` is called there, once, never before this returns.
    void request(OutgoingRequest request, Reactor& home,
                 Function<void(Result<OutgoingResponse>)> done);
    /// Ends every request with an error and closes all connections, on their reactors. Any thread,
    /// before the reactors stop.
    void stop();

private:
    class Pool;
    class Call;
    const HttpClientOptions options_;
    std::vector<std::shared_ptr<Pool>> pools_;  // by reactor
};

}  // namespace moonwire::transport
