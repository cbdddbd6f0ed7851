#pragma once

#include <chrono>
#include <cstddef>

#include "core/engineio/cors.hpp"

namespace moonwire::engineio {

/// Settings of the Engine.IO layer; the defaults are the reference's.
struct EngineOptions {
    std::chrono::milliseconds ping_interval{25'000};
    std::chrono::milliseconds ping_timeout{20'000};
    std::chrono::milliseconds upgrade_timeout{10'000};
    /// How long a closed polling session waits for a last poll to tell its client.
    std::chrono::milliseconds close_linger{30'000};
    std::size_t max_payload_bytes = 1'000'000;  // told to clients; the transport enforces it
    std::size_t send_queue_bytes = 16 * 1024 * 1024;  // buffered for a client that does not poll
    std::size_t max_sessions = 100'000;  // a handshake beyond it is refused
    bool polling = true;
    bool websocket = true;
    CorsPolicy cors;
};

}  // namespace moonwire::engineio
