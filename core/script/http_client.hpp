#pragma once

#include <string>
#include <utility>
#include <vector>

#include "core/base/clock.hpp"
#include "core/base/function.hpp"
#include "core/base/reactor.hpp"
#include "core/base/result.hpp"

namespace moonwire::script {

/// What a script's `http.request` asks for; checked but for the URL.
struct OutgoingRequest {
    std::string method = "GET", url;
    std::vector<std::pair<std::string, std::string>> headers;
    std::string body;
    Duration timeout = std::chrono::seconds(30);  // from the call to the last byte
};
struct IncomingResponse {
    unsigned status = 0;
    std::vector<std::pair<std::string, std::string>> headers;  // names in lower case
    std::string body;
};

/// The way out over HTTP: the broker's is `server/http_client`, that of `moonwire test` a fake.
class HttpClient {
public:
    virtual ~HttpClient() = default;
    /// `done` is called once, on `home`, never before this returns. Called from home. The error
    /// says why there is no answer: "timeout", "connection refused".
    virtual void request(OutgoingRequest request, Reactor& home,
                         Function<void(Result<IncomingResponse>)> done) = 0;
};

}  // namespace moonwire::script
