#pragma once

#include <atomic>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "core/transport/http.hpp"
#include "core/transport/server.hpp"
#include "core/transport/websocket.hpp"

namespace moonwire::test {

/// A transport server on a port of its own, serving with a function. Members are set before
/// `open`; the functions run on reactors.
class TestServer : public transport::HttpHandler {
public:
    using Exchange = std::shared_ptr<transport::HttpExchange>;

    explicit TestServer(unsigned threads = 1) : threads_(threads) {
        options.host = "127.0.0.1";
        options.port = 0;
        serve = [](Exchange exchange) {
            exchange->respond({200, {}, exchange->request().target, false});
        };
    }
    ~TestServer() override {
        if (server) server->stop();  // before the pointer goes: a reactor may still ask for it
    }

    TestServer& open() {
        server = std::make_unique<transport::TransportServer>(options, threads_);
        server->start();
        addresses = server->listen(*this).value();
        port = addresses.front().port;
        return *this;
    }

    Reactor& reactor_for(const transport::HttpRequest& request, Reactor& current) override {
        return place ? server->reactor(place(request)) : current;
    }
    void on_request(Exchange exchange) override { serve(std::move(exchange)); }

    std::uint64_t total(Counter transport::TransportStats::*figure) const {
        std::uint64_t sum = 0;
        for (unsigned i = 0; i < server->reactor_count(); ++i)
            sum += (server->stats(i).*figure).get();
        return sum;
    }
    std::uint64_t open_connections() const {
        return total(&transport::TransportStats::connections) -
               total(&transport::TransportStats::connections_closed);
    }

    transport::TransportOptions options;
    std::function<void(Exchange)> serve;
    std::function<unsigned(const transport::HttpRequest&)> place;
    std::unique_ptr<transport::TransportServer> server;
    std::vector<transport::ListeningAddress> addresses;
    std::uint16_t port = 0;  // of the first

private:
    unsigned threads_;
};

/// A WebSocket's handler that keeps what happened, readable from the test's thread.
class Recorder : public transport::WebSocketHandler, public std::enable_shared_from_this<Recorder> {
public:
    using Message = std::pair<std::string, bool>;

    void on_open(transport::WebSocket& opened) override {
        socket = &opened;
        if (opening) opening(opened);
        open = true;
    }
    void on_message(std::string_view payload, bool binary) override {
        if (echo)
            socket.load()->send(
                binary ? transport::Frame::binary(payload) : transport::Frame::text({payload}),
                transport::Flush::turn);
        if (receiving) receiving(*socket, payload);
        std::lock_guard lock(mutex_);
        messages_.emplace_back(payload, binary);
    }
    void on_close(transport::WebSocketEnd ended) override {
        std::lock_guard lock(mutex_);
        ++closes_;
        end_ = ended;
    }

    std::vector<Message> messages() const {
        std::lock_guard lock(mutex_);
        return messages_;
    }
    std::optional<transport::WebSocketEnd> end() const {
        std::lock_guard lock(mutex_);
        return end_;
    }
    int closes() const {
        std::lock_guard lock(mutex_);
        return closes_;
    }

    /// A `serve` function that accepts every upgrade with this recorder.
    std::function<void(TestServer::Exchange)> acceptor() {
        return [self = shared_from_this()](TestServer::Exchange exchange) {
            exchange->accept_websocket(self, {});
        };
    }

    bool echo = false;
    std::function<void(transport::WebSocket&)> opening;
    std::function<void(transport::WebSocket&, std::string_view)> receiving;
    std::atomic<transport::WebSocket*> socket{nullptr};
    std::atomic<bool> open{false};

private:
    mutable std::mutex mutex_;
    std::vector<Message> messages_;
    std::optional<transport::WebSocketEnd> end_;
    int closes_ = 0;
};

}  // namespace moonwire::test
