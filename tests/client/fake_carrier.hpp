#pragma once

#include <memory>
#include <string>
#include <vector>

#include "core/base/manual_reactor.hpp"
#include "core/client/carrier.hpp"

namespace moonwire::test {

/// The server's side of connections that are none: what was sent, and a way to answer.
struct FakeServer {
    class Connection final : public client::Carrier {
    public:
        Connection(Reactor& reactor, std::shared_ptr<client::CarrierHandler> handler)
            : reactor_(reactor), handler_(std::move(handler)) {}
        void send(std::string packet, bool binary) override {
            sent.push_back(binary ? "<" + packet + ">" : packet);
            if (full) buffered += packet.size();
        }
        std::size_t buffered_bytes() const override { return buffered; }
        /// What was sent has left.
        void drain() {
            buffered = 0;
            if (const auto handler = handler_) handler->on_drained();
        }
        void settle() override { settling = true; }
        void settled() {
            if (const auto handler = handler_) handler->on_settled();
        }
        void close() override {
            closed = true;
            if (hangs) return;
            reactor_.post([this] { end("closed"); });
        }
        void say(const std::string& packet) {
            if (const auto handler = handler_) handler->on_packet(packet, false);
        }
        void attach(const std::string& bytes) {
            if (const auto handler = handler_) handler->on_packet(bytes, true);
        }
        void end(std::string reason, unsigned status = 0, std::string body = {}) {
            if (const auto handler = std::exchange(handler_, nullptr))
                handler->on_end({std::move(reason), status, std::move(body)});
        }
        /// The handshake, and the namespace's welcome.
        void welcome(const std::string& nsp = {}) {
            say(R"(0{"sid":"E","upgrades":[],"pingInterval":1000,"pingTimeout":500,"maxPayload":100})");
            say("40" + nsp + R"({"sid":"S"})");
        }

        /// Hears nothing more, and lets go of who listened.
        void drop() { handler_.reset(); }

        std::vector<std::string> sent;
        bool closed = false;
        bool settling = false;
        bool hangs = false;
        bool full = false;         // what is sent does not leave
        std::size_t buffered = 0;

    private:
        Reactor& reactor_;
        std::shared_ptr<client::CarrierHandler> handler_;
    };

    /// A session and its connection hold each other until one of them ends.
    ~FakeServer() {
        for (const auto& each : connections) each->drop();
    }

    client::Connect connect() {
        return [this](std::shared_ptr<client::CarrierHandler> handler) {
            connections.push_back(std::make_shared<Connection>(reactor, std::move(handler)));
            return connections.back();
        };
    }
    Connection& last() { return *connections.back(); }

    ManualReactor reactor;
    std::vector<std::shared_ptr<Connection>> connections;
};

}  // namespace moonwire::test
