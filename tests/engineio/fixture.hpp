#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include <doctest/doctest.h>

#include "core/base/manual_reactor.hpp"
#include "core/engineio/engine.hpp"
#include "core/transport/websocket.hpp"

using namespace moonwire;
using namespace moonwire::engineio;
using namespace std::chrono_literals;
using transport::HttpRequest;
using transport::HttpResponse;


/// An exchange whose answer is kept for the test to read.
class FakeExchange final : public transport::HttpExchange {
public:
    FakeExchange(Reactor& reactor, HttpRequest request)
        : reactor_(reactor), request_(std::move(request)) {}

    Reactor& reactor() override { return reactor_; }
    const HttpRequest& request() const override { return request_; }
    void respond(HttpResponse response) override {
        if (pending()) response_ = std::move(response);
    }
    void accept_websocket(std::shared_ptr<transport::WebSocketHandler> handler,
                          transport::Headers headers) override {
        handler_ = std::move(handler);
        upgrade_headers_ = std::move(headers);
    }
    void drop() override { gone_ = true; }
    void on_abort(Task task) override { abort_ = std::move(task); }
    bool pending() const override { return !response_ && !handler_ && !gone_; }

    void abort() {
        gone_ = true;
        if (abort_) abort_();
    }
    std::optional<HttpResponse> response_;
    std::shared_ptr<transport::WebSocketHandler> handler_;
    transport::Headers upgrade_headers_;

private:
    Reactor& reactor_;
    HttpRequest request_;
    Task abort_;
    bool gone_ = false;
};

/// A WebSocket that keeps what was sent.
class FakeWebSocket final : public transport::WebSocket {
public:
    explicit FakeWebSocket(Reactor& reactor) : reactor_(reactor) {}
    Reactor& reactor() override { return reactor_; }
    void send(const Frame& frame, transport::Flush, bool) override {
        sent.emplace_back(frame.payload());
    }
    bool writable() const override { return writable_; }
    std::size_t queued_bytes() const override { return 0; }
    void slow_down() override { slowed = true; }
    void close(std::uint16_t) override { closed = true; }

    std::vector<std::string> sent;
    bool closed = false;
    bool slowed = false;
    bool writable_ = true;

private:
    Reactor& reactor_;
};

/// Records what the layer above is told.
struct Recorder final : SessionHandler {
    void on_message(std::string_view payload, bool binary) override {
        messages.push_back((binary ? "b:" : "") + std::string(payload));
        if (on_each) on_each();
    }
    void on_upgrade() override { ++upgrades; }
    void on_close(CloseReason reason) override { closed.emplace_back(to_string(reason)); }
    std::function<void()> on_each;
    std::vector<std::string> messages;
    int upgrades = 0;
    std::vector<std::string> closed;
};

struct Listener final : SessionListener {
    std::shared_ptr<SessionHandler> on_session(std::shared_ptr<Session> opened) override {
        session = std::move(opened);
        recorder = std::make_shared<Recorder>();
        return recorder;
    }
    std::shared_ptr<Session> session;
    std::shared_ptr<Recorder> recorder;
};

inline EngineOptions quick_options() {
    EngineOptions options;
    options.ping_interval = 300ms;
    options.ping_timeout = 200ms;
    options.send_queue_bytes = 1000;
    return options;
}

struct Fixture {
    explicit Fixture(EngineOptions options = quick_options())
        : engine(std::move(options), {&reactor}, listener) {}
    /// A session and its WebSocket hold each other until one of them ends.
    ~Fixture() {
        engine.shut_down();
        reactor.settle();
    }

    FakeWebSocket& make_socket() {
        sockets.push_back(std::make_unique<FakeWebSocket>(reactor));
        return *sockets.back();
    }

    std::shared_ptr<FakeExchange> request(std::string method, std::string query,
                                          std::string body = {}, bool upgrade = false,
                                          transport::Headers headers = {}) {
        HttpRequest request;
        request.method = std::move(method);
        request.target = "/socket.io/?" + query;
        request.body = std::move(body);
        request.upgrade = upgrade;
        request.headers = std::move(headers);
        request.remote_address = "127.0.0.1";
        auto exchange = std::make_shared<FakeExchange>(reactor, std::move(request));
        engine.on_request(exchange);
        reactor.settle();
        return exchange;
    }
    std::string polling(const std::string& extra = {}) {
        return "EIO=" + eio + "&transport=polling" + extra;
    }
    std::string sid() { return "&sid=" + listener.session->id(); }
    std::shared_ptr<FakeExchange> poll(const std::string& extra = {}) {
        return request("GET", polling(sid() + extra));
    }
    std::shared_ptr<FakeExchange> post(std::string body, const std::string& extra = {},
                                       transport::Headers headers = {}) {
        return request("POST", polling(sid() + extra), std::move(body), false, std::move(headers));
    }
    std::string open_polling(const std::string& extra = {}) {
        return request("GET", polling(extra))->response_->body;
    }

    /// Opens the accepted WebSocket and lets the engine see it.
    std::shared_ptr<transport::WebSocketHandler> connect(FakeWebSocket& socket,
                                                         const std::string& extra = {}) {
        auto exchange = request("GET", "EIO=" + eio + "&transport=websocket" + extra, {}, true);
        REQUIRE(exchange->handler_);
        exchange->handler_->on_open(socket);
        reactor.settle();
        return exchange->handler_;
    }

    std::string eio = "4";
    ManualReactor reactor;
    Listener listener;
    std::vector<std::unique_ptr<FakeWebSocket>> sockets;
    Engine engine;
};


/// The header's value in an answer, or "-".
inline std::string header_of(const HttpResponse& response, std::string_view name) {
    for (const auto& [key, value] : response.headers)
        if (key == name) return value;
    return "-";
}
