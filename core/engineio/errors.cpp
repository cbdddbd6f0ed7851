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
    }
    return "Bad request";
}

transport::HttpResponse refusal(RequestError error, bool upgrade, std::string_view message) {
    if (message.empty()) message = message_of(error);
    transport::HttpResponse response;
    response.status = error == RequestError::forbidden ? 403 : 400;
    if (upgrade) {
        response.status = 400;
        response.headers = {{"content-type", "text/html"}};
        response.body = message;
        response.close = true;
    } else {
        response.headers = {{"content-type", "application/json"}};
        response.body = "{\"code\":" + std::to_string(static_cast<int>(error)) +
                        ",\"message\":" + json_string(message) + "}";
    }
    return response;
}

}  // namespace moonwire::engineio
