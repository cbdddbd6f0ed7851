#pragma once

#include <chrono>
#include <cstddef>
#include <string>
#include <vector>

#include "core/base/token_bucket.hpp"
#include "core/engineio/cookie.hpp"
#include "core/engineio/cors.hpp"

namespace moonwire::engineio {

class HandshakeGuard;

/// Settings of the Engine.IO layer; the defaults are the reference's.
struct EngineOptions {
    std::chrono::milliseconds ping_interval{25'000};
    std::chrono::milliseconds ping_timeout{20'000};
    std::chrono::milliseconds upgrade_timeout{10'000};
    /// How long a closed polling session waits for a last poll to tell its client.
    std::chrono::milliseconds close_linger{30'000};
    std::size_t max_payload_bytes = 1'000'000;  // told to clients; the transport enforces it
    std::size_t send_queue_bytes = 16 * 1024 * 1024;  // buffered for a client that does not poll
    std::chrono::milliseconds send_queue_age{0};      // the same by its oldest byte; 0: any age
    std::size_t max_sessions = 100'000;  // a handshake beyond it is refused
    std::size_t max_sessions_per_ip = 0;  // likewise; 0: no limit
    Rate handshakes_per_ip;               // beyond it 429
    unsigned ipv6_prefix = 64;            // of an IPv6 address, that the two look at
    bool polling = true;
    bool websocket = true;
    bool allow_eio3 = false;  // clients of Engine.IO 3, as Socket.IO 2 has them
    CorsPolicy cors;
    std::string path = "/socket.io";  // of the requests, without the slash at its end
    /// Pages that may connect, by whatever transport; empty: all. Clients that are no browsers have
    /// no origin and always may.
    std::vector<std::string> allowed_origins;
    SessionCookie cookie;
    bool http_compression = true;  // of polling responses that clients take so
    std::size_t http_compression_threshold = 1024;
    std::chrono::milliseconds handshake_timeout{45'000};  // for the guard to decide in
    HandshakeGuard* guard = nullptr;
};

}  // namespace moonwire::engineio
