#pragma once

#include <array>
#include <atomic>
#include <boost/asio/generic/stream_protocol.hpp>
#include <boost/asio/io_context.hpp>
#include <cstddef>
#include <cstdint>
#include <ctime>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "core/base/shared_counts.hpp"
#include "core/transport/asio_reactor.hpp"
#include "core/transport/deflater.hpp"
#include "core/transport/descriptor.hpp"
#include "core/transport/inflater.hpp"
#include "core/transport/server.hpp"
#include "core/transport/tls_channel.hpp"

namespace moonwire::transport {

class Connection;
class SendQueue;

using Executor = boost::asio::io_context::executor_type;

/// The queues that have something to write at the end of this turn; one turn-end task serves all.
/// A queue that dies first takes itself off.
class FlushList {
public:
    explicit FlushList(Reactor& reactor) : reactor_(reactor) {}
    void add(SendQueue& queue);
    void remove(SendQueue& queue);

private:
    void flush();

    Reactor& reactor_;
    std::vector<SendQueue*> waiting_;
    std::vector<SendQueue*> flushing_;
};

/// The open connections of one reactor: what keeps them alive.
class ConnectionSet {
public:
    void add(std::shared_ptr<Connection> connection);
    void remove(Connection& connection);
    std::size_t size() const noexcept { return all_.size(); }
    /// A copy to walk while connections leave.
    std::vector<std::shared_ptr<Connection>> all() const { return all_; }

private:
    std::vector<std::shared_ptr<Connection>> all_;
};

/// What the connections of one reactor share. Touched on its thread only, but for the reactor's own
/// thread-safe calls and the figures. Owned by TransportServer; outlives its connections.
struct Worker {
    Worker(unsigned index, const TransportOptions& options,
           const std::vector<std::unique_ptr<Worker>>& all)
        : options(options), all(all), deflater(options.deflate_level), reactor(index) {}

    /// The Date header's value, made once a second.
    const std::string& http_date();

    const TransportOptions& options;
    const std::vector<std::unique_ptr<Worker>>& all;  // by reactor index
    HttpHandler* handler = nullptr;                   // set before the first connection
    TransportStats stats;
    bool closing = false;                 // connections that still arrive are closed
    std::array<char, 64 * 1024> scratch;  // where a read lands before its connection keeps anything
    Deflater deflater;
    Inflater inflater;
    FlushList flushes{reactor};
    ConnectionSet connections;
    std::time_t date_second = 0;
    std::string date;
    AsioReactor reactor;  // last: see AsioReactor's context
};

/// A place under `max_connections`, given back when destroyed.
class ConnectionSlot {
public:
    ConnectionSlot() noexcept = default;
    explicit ConnectionSlot(std::shared_ptr<std::atomic<std::size_t>> count)
        : count_(std::move(count)) {
        ++*count_;
    }
    ConnectionSlot(ConnectionSlot&&) noexcept = default;
    ConnectionSlot& operator=(ConnectionSlot&& other) noexcept {
        std::swap(count_, other.count_);
        return *this;
    }
    ~ConnectionSlot() {
        if (count_) --*count_;
    }

private:
    std::shared_ptr<std::atomic<std::size_t>> count_;
};

/// An accepted connection without its protocol: what is carried from one to the next.
struct Link {
    Descriptor socket;  // TCP or Unix-domain, non-blocking; nothing above depends on which
    std::string address;
    std::uint16_t port = 0;
    ConnectionSlot slot;
    SharedCounts::Place place;  // under its address's limit
    std::unique_ptr<TlsChannel> tls;  // none on a plain connection
};

}  // namespace moonwire::transport
