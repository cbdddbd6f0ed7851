#include "core/transport/server.hpp"

#include <algorithm>
#include <latch>
#include <utility>

#include "core/transport/connection.hpp"
#include "core/transport/listener.hpp"
#include "core/transport/worker.hpp"

namespace moonwire::transport {

struct TransportServer::Impl {
    TransportOptions options;
    std::vector<std::unique_ptr<Worker>> workers;
    std::shared_ptr<Listener> listener;
    bool stopped = false;
};

TransportServer::TransportServer(TransportOptions options, unsigned threads)
    : impl_(std::make_unique<Impl>()) {
    impl_->options = std::move(options);
    const unsigned count = std::clamp(threads, 1u, 255u);
    for (unsigned i = 0; i < count; ++i)
        impl_->workers.push_back(std::make_unique<Worker>(i, impl_->options, impl_->workers));
}

TransportServer::~TransportServer() { stop(); }

unsigned TransportServer::reactor_count() const {
    return static_cast<unsigned>(impl_->workers.size());
}

Reactor& TransportServer::reactor(unsigned index) { return impl_->workers.at(index)->reactor; }

const TransportStats& TransportServer::stats(unsigned index) const {
    return impl_->workers.at(index)->stats;
}

void TransportServer::start() {
    for (auto& worker : impl_->workers) worker->reactor.start();
}

Result<std::uint16_t> TransportServer::listen(HttpHandler& handler) {
    auto listener = std::make_shared<Listener>(impl_->workers);
    const auto port = listener->open();
    if (!port) return port;
    for (auto& worker : impl_->workers) worker->handler = &handler;
    impl_->listener = listener;
    impl_->workers.front()->reactor.post([listener] { listener->start(); });
    return port;
}

void TransportServer::stop_accepting() {
    if (!impl_->listener) return;
    impl_->workers.front()->reactor.post([listener = impl_->listener] { listener->close(); });
}

void TransportServer::stop() {
    if (std::exchange(impl_->stopped, true)) return;
    stop_accepting();
    // All connections on all reactors end before the first thread does: what an end sets off on
    // another reactor still runs there.
    const auto running = std::count_if(impl_->workers.begin(), impl_->workers.end(),
                                       [](auto& worker) { return worker->reactor.running(); });
    std::latch closed(running);
    for (auto& worker : impl_->workers) {
        if (!worker->reactor.running()) continue;
        worker->reactor.post([&worker = *worker, &closed] {
            worker.closing = true;
            for (const auto& connection : worker.connections.all()) connection->end_now();
            closed.count_down();
        });
    }
    closed.wait();
    for (auto& worker : impl_->workers) worker->reactor.stop();
}

}  // namespace moonwire::transport
