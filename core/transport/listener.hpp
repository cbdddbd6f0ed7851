#pragma once

#include <sys/socket.h>

#include <atomic>
#include <memory>

#include "core/transport/listening_socket.hpp"
#include "core/transport/tls_context.hpp"
#include "core/transport/worker.hpp"

namespace moonwire::transport {

/// Accepts on one listening socket, on reactor 0, each connection straight onto the reactor whose
/// turn it is. Out of descriptors it pauses and tries again. Beyond `max_connections` (counted
/// over all listeners) a few more are answered 503, the rest closed at once; so is whoever has
/// `max_connections_per_ip` already, but for trusted proxies and Unix-domain sockets.
class Listener : public std::enable_shared_from_this<Listener> {
public:
    /// Connections go to the first `serving` of the workers.
    Listener(const std::vector<std::unique_ptr<Worker>>& workers, std::size_t serving,
             ListeningSocket socket, std::shared_ptr<std::atomic<std::size_t>> open_connections,
             std::shared_ptr<SharedCounts> addresses);

    /// The rest is called on reactor 0, or while no reactor runs.
    void start() { wait(); }
    void close() { listening_.close(); }
    /// From now on each connection begins with a TLS handshake by this context.
    void use(std::shared_ptr<const TlsContext> tls) { tls_ = std::move(tls); }

private:
    void wait();
    /// Accepts what is waiting, a bounded number.
    void accept();
    void on_accepted(Descriptor socket, const sockaddr_storage& peer);
    /// False if its address has too many connections.
    bool find_place(Link& link) const;
    void pause(int error);

    const std::vector<std::unique_ptr<Worker>>& workers_;
    const std::size_t serving_;
    Worker& home_;
    ListeningSocket listening_;
    std::shared_ptr<const TlsContext> tls_;  // none on a plain listener
    std::size_t next_ = 0;
    std::shared_ptr<std::atomic<std::size_t>> open_connections_;
    const std::shared_ptr<SharedCounts> addresses_;
    bool troubled_ = false;  // the last accept failed, and that was logged
};

}  // namespace moonwire::transport
