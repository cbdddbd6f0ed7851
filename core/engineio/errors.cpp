#include "core/engineio/errors.hpp"

#include <string>

#include "core/base/json_text.hpp"

namespace moonwire::engineio {

std::string_view message_of(RequestError error) {
    switch (error) {
        case RequestError::unknown_transport: return "Transport unknown";
        case RequestError::unknown_session: return "Session ID unknown";
        case RequestError::bad_handshake_method: return "Bad handshake method";
        case RequestError::bad_request: return "Bad request";
        case RequestError::forbidden: return "Forbidden";
        case RequestError::unsupported_version: return "Unsupported protocol version";
        case RequestError::too_many_requests: return "Too many requests";
    }
    return "Bad request";
}

namespace {

/// As the reference, which has but one for upgrades.
unsigned status_of(RequestError error, bool upgrade) {
    if (error == RequestError::too_many_requests) return 429;
    return error == RequestError::forbidden && !upgrade ? 403 : 400;
}

}  // namespace

transport::HttpResponse refusal(RequestError error, bool upgrade, std::string_view message) {
    if (message.empty()) message = message_of(error);
    transport::HttpResponse response;
    response.status = status_of(error, upgrade);
    if (upgrade) {
        response.headers = {{"content-type", "text/html"}};
        response.body = message;
        response.close = true;
    } else {
        response.headers = {{"content-type", "application/json"}};
        response.body = "{\"code\":" + std::to_string(static_cast<int>(error)) +
                        ",\"message\":" + json_string(message) + "}";
    }
    if (error == RequestError::too_many_requests) response.headers.emplace_back("retry-after", "1");
    return response;
}

}  // namespace moonwire::engineio
