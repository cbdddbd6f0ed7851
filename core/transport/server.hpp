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
#include "core/transport/tls_context.hpp"
#include "core/transport/trusted_proxies.hpp"

namespace moonwire::transport {

/// Where the transport listens, and its limits. Zero durations mean "no timeout" only where said.
struct TransportOptions {
    bool plain = true;  // plain TCP on host and port
    std::string host = "0.0.0.0";
    std::uint16_t port = 3000;  // 0: the kernel picks one
    std::string unix_path;      // a Unix-domain socket; empty: none
    unsigned unix_mode = 0;     // its file's permissions; 0: as the umask has it
    TlsOptions tls;
    std::size_t max_header_bytes = 16 * 1024;
    std::size_t max_body_bytes = 1'000'000;            // 413 beyond it
    std::size_t max_message_bytes = 1'000'000;         // a WebSocket message; 1009 beyond it
    std::size_t send_queue_bytes = 16 * 1024 * 1024;   // a connection; the slow consumer is cut
    std::chrono::milliseconds send_queue_age{0};       // the same by its oldest byte; 0: any age
    std::size_t max_connections = 100'000;             // 503 beyond it
    std::size_t max_connections_per_ip = 0;            // closed beyond it; 0: no limit
    unsigned ipv6_prefix = 64;                         // of an IPv6 address, that limits look at
    std::chrono::milliseconds header_timeout{10'000};  // from accept or first byte to headers
    std::chrono::milliseconds body_timeout{30'000};    // whole body
    std::chrono::milliseconds idle_timeout{65'000};    // keep-alive, between requests
    std::chrono::milliseconds write_timeout{30'000};   // no progress on a blocked write
    std::chrono::milliseconds close_timeout{5'000};    // closing handshake
    std::chrono::microseconds coalesce_window{1'000};  // Flush::window; 0: a plain flush a turn
    TrustedProxies trusted_proxies;                    // who may say for whom they ask
    bool deflate = false;                              // agree to permessage-deflate (RFC 7692)
    std::size_t deflate_threshold_bytes = 1024;        // smaller messages go out as they are
    int deflate_level = 6;                             // zlib's, 1 to 9
};

/// Figures of one reactor; written there, read anywhere.
struct TransportStats {
    Counter connections, connections_closed, refused;
    Counter http_requests, websockets, websockets_closed;
    Counter bytes_in, bytes_out, writes;
    Counter queued_bytes;  // wait in send queues now
    Counter slow_consumers;
};

/// A place where connections are accepted.
struct ListeningAddress {
    std::string url;         // "http://127.0.0.1:3000", "https://…", "unix:/run/moonwire.sock"
    std::uint16_t port = 0;  // 0 for a Unix-domain socket
};

/// The reactors and the listeners: the bottom of the broker.
///
/// One thread a reactor. Listeners accept on reactor 0 and hand connections round in turn, but for
/// the last `apart` reactors, which are left to other work.
class TransportServer {
public:
    /// `threads` reactors (at least 1) that have connections and `apart` others (together at most
    /// 255), not yet running.
    TransportServer(TransportOptions options, unsigned threads, unsigned apart = 0);
    ~TransportServer();  // stops and joins
    TransportServer(const TransportServer&) = delete;
    TransportServer& operator=(const TransportServer&) = delete;

    unsigned reactor_count() const;
    Reactor& reactor(unsigned index);
    const TransportStats& stats(unsigned index) const;
    /// Tasks that wait for the reactor's next turn. Any thread.
    std::size_t posted(unsigned index) const;

    /// Starts the reactor threads. Work may be posted before.
    void start();
    /// Binds and accepts on all that the options name, plain TCP first; an error names the place
    /// that can't be had, and then nothing listens. `handler` must outlive this server. Any thread,
    /// once.
    Result<std::vector<ListeningAddress>> listen(HttpHandler& handler);
    /// Reads certificates and keys anew, for connections to come; an error names the file, and the
    /// old ones stay in charge. Any thread.
    Result<void> reload_certificates();
    /// Closes the listeners; connections go on. Any thread.
    void stop_accepting();
    /// Closes every connection at once, stops the threads and joins them. Not from a reactor.
    void stop();

private:
    struct Impl;
    std::unique_ptr<Impl> impl_;
};

}  // namespace moonwire::transport
