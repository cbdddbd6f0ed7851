#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "core/base/counter.hpp"
#include "core/base/result.hpp"
#include "core/transport/http.hpp"

namespace moonwire::transport {

/// Every limit of the transport. Zero durations mean "no timeout" only where said.
struct TransportOptions {
    std::string host = "0.0.0.0";
    std::uint16_t port = 3000;  // 0: the kernel picks one
    std::size_t max_header_bytes = 16 * 1024;
    std::size_t max_body_bytes = 1'000'000;            // 413 beyond it
    std::size_t max_message_bytes = 1'000'000;         // a WebSocket message; 1009 beyond it
    std::size_t send_queue_bytes = 16 * 1024 * 1024;   // a connection; the slow consumer is cut
    std::size_t max_connections = 100'000;             // 503 beyond it
    std::chrono::milliseconds header_timeout{10'000};  // from accept or first byte to headers
    std::chrono::milliseconds body_timeout{30'000};    // whole body
    std::chrono::milliseconds idle_timeout{65'000};    // keep-alive, between requests
    std::chrono::milliseconds write_timeout{30'000};   // no progress on a blocked write
    std::chrono::milliseconds close_timeout{5'000};    // closing handshake
    std::chrono::microseconds coalesce_window{1'000};  // Flush::window; 0: a plain flush a turn
};

/// Figures of one reactor; written there, read anywhere.
struct TransportStats {
    Counter connections, connections_closed, refused;
    Counter http_requests, websockets, websockets_closed;
    Counter bytes_in, bytes_out, writes;
    Counter slow_consumers;
};

/// The reactors and the listener: the bottom of the broker.
///
/// One thread a reactor. The listener accepts on reactor 0 and hands connections round in turn.
class TransportServer {
public:
    /// `threads` reactors (at least 1, at most 255), not yet running.
    TransportServer(TransportOptions options, unsigned threads);
    ~TransportServer();  // stops and joins
    TransportServer(const TransportServer&) = delete;
    TransportServer& operator=(const TransportServer&) = delete;

    unsigned reactor_count() const;
    Reactor& reactor(unsigned index);
    const TransportStats& stats(unsigned index) const;

    /// Starts the reactor threads. Work may be posted before.
    void start();
    /// Binds and accepts; the port it got, or an error naming host and port. `handler` must outlive
    /// this server. Any thread, once.
    Result<std::uint16_t> listen(HttpHandler& handler);
    /// Closes the listener; connections go on. Any thread.
    void stop_accepting();
    /// Closes every connection at once, stops the threads and joins them. Not from a reactor.
    void stop();

private:
    struct Impl;
    std::unique_ptr<Impl> impl_;
};

}  // namespace moonwire::transport
