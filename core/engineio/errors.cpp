#include "core/engineio/errors.hpp"

#include <iterator>
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

std::string_view to_string(RefusalReason reason) {
    static constexpr std::string_view kNames[] = {
        "transport", "session",     "method",         "malformed",   "protocol", "origin",
        "script",    "script_late", "handshake_rate", "connections", "address",  "shutting_down"};
    static_assert(std::size(kNames) == kRefusalReasons);
    return kNames[static_cast<std::size_t>(reason)];
}

RequestError error_of(RefusalReason reason) {
    switch (reason) {
        case RefusalReason::transport: return RequestError::unknown_transport;
        case RefusalReason::session: return RequestError::unknown_session;
        case RefusalReason::method: return RequestError::bad_handshake_method;
        case RefusalReason::malformed: return RequestError::bad_request;
        case RefusalReason::protocol: return RequestError::unsupported_version;
        case RefusalReason::handshake_rate: return RequestError::too_many_requests;
        case RefusalReason::origin:
        case RefusalReason::script:
        case RefusalReason::script_late:
        case RefusalReason::connections:
        case RefusalReason::address:
        case RefusalReason::shutting_down: break;
    }
    return RequestError::forbidden;
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
