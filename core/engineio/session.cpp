#include "core/engineio/session.hpp"

namespace moonwire::engineio {

std::string_view to_string(TransportKind kind) {
    return kind == TransportKind::polling ? "polling" : "websocket";
}

std::string_view to_string(CloseReason reason) {
    switch (reason) {
        case CloseReason::transport_error: return "transport error";
        case CloseReason::transport_close: return "transport close";
        case CloseReason::forced_close: return "forced close";
        case CloseReason::ping_timeout: return "ping timeout";
        case CloseReason::parse_error: return "parse error";
    }
    return "transport error";
}

Frame text_message(std::string_view part, std::string_view second, std::string_view third) {
    return Frame::text({"4", part, second, third});
}

Frame binary_message(std::string_view part, std::string_view second) {
    return Frame::binary({part, second});
}

}  // namespace moonwire::engineio
