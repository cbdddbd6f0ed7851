#include "core/transport/server.hpp"

#include <algorithm>
#include <atomic>
#include <latch>
#include <string_view>
#include <utility>

#include "core/transport/connection.hpp"
#include "core/transport/listener.hpp"
#include "core/transport/worker.hpp"

namespace moonwire::transport {
namespace {

std::string url_of(std::string_view scheme, const std::string& host, std::uint16_t port) {
    const bool bracketed = host.find(':') != std::string::npos;
    return std::string(scheme) + "://" + (bracketed ? "[" + host + "]" : host) + ":" +
           std::to_string(port);
}

}  // namespace

struct TransportServer::Impl {
    TransportOptions options;
    std::vector<std::unique_ptr<Worker>> workers;
    std::vector<std::shared_ptr<Listener>> listeners;
    std::shared_ptr<Listener> tls_listener;  // one of them
    std::size_t serving = 1;  // so many of the first workers have connections
    bool stopped = false;
};

TransportServer::TransportServer(TransportOptions options, unsigned threads, unsigned apart)
    : impl_(std::make_unique<Impl>()) {
    impl_->options = std::move(options);
    impl_->serving = std::clamp(threads, 1u, 255u);
    const unsigned count = std::clamp(threads + apart, 1u, 255u);
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

std::size_t TransportServer::posted(unsigned index) const {
    return impl_->workers.at(index)->reactor.posted();
}

void TransportServer::start() {
    for (auto& worker : impl_->workers) worker->reactor.start();
}

Result<std::vector<ListeningAddress>> TransportServer::listen(HttpHandler& handler) {
    const TransportOptions& options = impl_->options;
    auto& io_context = impl_->workers.front()->reactor.context();
    const auto open_connections = std::make_shared<std::atomic<std::size_t>>(0);
    const auto counts = std::make_shared<SharedCounts>(options.max_connections_per_ip);
    std::vector<std::shared_ptr<Listener>> listeners;
    std::vector<ListeningAddress> addresses;
    const auto add = [&](ListeningSocket socket, std::string url) {
        addresses.push_back({std::move(url), socket.port()});
        listeners.push_back(
            std::make_shared<Listener>(impl_->workers, impl_->serving, std::move(socket),
                                       open_connections, counts));
        return listeners.back();
    };
    if (options.plain) {
        auto socket = ListeningSocket::tcp(io_context, options.host, options.port);
        if (!socket) return socket.error();
        const std::string url = url_of("http", options.host, socket->port());
        add(*std::move(socket), url);
    }
    std::shared_ptr<Listener> tls_listener;
    if (options.tls.enabled()) {
        auto context = TlsContext::load(options.tls);
        if (!context) return context.error();
        const std::string& host = options.tls.host.empty() ? options.host : options.tls.host;
        auto socket = ListeningSocket::tcp(io_context, host, options.tls.port);
        if (!socket) return socket.error();
        const std::string url = url_of("https", host, socket->port());
        tls_listener = add(*std::move(socket), url);
        tls_listener->use(*std::move(context));
    }
    if (!options.unix_path.empty()) {
        auto socket = ListeningSocket::local(io_context, options.unix_path, options.unix_mode);
        if (!socket) return socket.error();
        add(*std::move(socket), "unix:" + options.unix_path);
    }
    for (auto& worker : impl_->workers) worker->handler = &handler;
    impl_->listeners = std::move(listeners);
    impl_->tls_listener = std::move(tls_listener);
    impl_->workers.front()->reactor.post([listeners = impl_->listeners] {
        for (const auto& listener : listeners) listener->start();
    });
    return addresses;
}

Result<void> TransportServer::reload_certificates() {
    if (!impl_->tls_listener) return {};
    auto context = TlsContext::load(impl_->options.tls);
    if (!context) return context.error();
    impl_->workers.front()->reactor.post(
        [listener = impl_->tls_listener, context = *std::move(context)]() mutable {
            listener->use(std::move(context));
        });
    return {};
}

void TransportServer::stop_accepting() {
    impl_->workers.front()->reactor.post([listeners = impl_->listeners] {
        for (const auto& listener : listeners) listener->close();
    });
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
