// Limits by address, and by how long something is queued.
#include "core/base/incidents.hpp"
#include "tests/engineio/fixture.hpp"

namespace {

/// Asks for a session from an address: the status of the answer.
struct Handshakes : Fixture {
    using Fixture::Fixture;

    std::shared_ptr<FakeExchange> ask(const std::string& address, bool websocket = false) {
        HttpRequest request;
        request.method = "GET";
        request.target =
            std::string("/socket.io/?EIO=4&transport=") + (websocket ? "websocket" : "polling");
        request.upgrade = websocket;
        request.remote_address = address;
        auto exchange = std::make_shared<FakeExchange>(reactor, std::move(request));
        engine.on_request(exchange);
        reactor.settle();
        return exchange;
    }
    unsigned status(const std::string& address) { return ask(address)->response_->status; }
};

EngineOptions with(auto set) {
    EngineOptions options = quick_options();
    set(options);
    return options;
}

}  // namespace

TEST_CASE("handshakes over an address's rate are told 429, until it has some again") {
    Handshakes test(with([](EngineOptions& o) { o.handshakes_per_ip = Rate(4, 2); }));
    const auto before = incidents().count(IncidentKind::handshakes_per_second_per_ip);
    for (int i = 0; i < 4; ++i) CHECK(test.status("192.0.2.1") == 200);
    const auto refused = test.ask("192.0.2.1");
    REQUIRE(refused->response_);
    CHECK(refused->response_->status == 429);
    CHECK(refused->response_->body == R"({"code":429,"message":"Too many handshakes"})");
    CHECK(header_of(*refused->response_, "retry-after") == "1");
    const auto upgrade = test.ask("192.0.2.1", true);
    REQUIRE(upgrade->response_);
    CHECK(upgrade->response_->status == 429);
    CHECK(upgrade->response_->body == "Too many handshakes");
    CHECK(incidents().count(IncidentKind::handshakes_per_second_per_ip) == before + 2);
    CHECK(test.status("192.0.2.2") == 200);
    test.reactor.advance(500ms);
    CHECK(test.status("192.0.2.1") == 200);
    CHECK(test.status("192.0.2.1") == 429);
}

TEST_CASE("requests of a session are no handshakes; what is refused otherwise is one") {
    Handshakes test(with([](EngineOptions& o) {
        o.handshakes_per_ip = Rate(2, 1000);
        o.allowed_origins = {"https://a.example"};
    }));
    test.open_polling();
    for (int i = 0; i < 10; ++i) CHECK(test.post("4a")->response_->status == 200);
    const auto refused =
        test.request("GET", test.polling(), {}, false, {{"origin", "https://b.example"}});
    CHECK(refused->response_->status == 403);
    CHECK(test.request("GET", test.polling())->response_->status == 429);
}

TEST_CASE(
    "who sends more than it may by polling waits for the answer, by WebSocket is read slowly") {
    Fixture test;
    test.open_polling();
    test.listener.recorder->on_each = [&] { test.listener.session->slow_down(); };
    const auto posted = test.post("4" + std::string(3 * transport::kSlowedBytes, 'a'));
    CHECK(test.listener.recorder->messages.size() == 1);
    test.reactor.advance(3 * transport::kSlowedPause);
    CHECK_FALSE(posted->response_);
    test.reactor.advance(transport::kSlowedPause);
    REQUIRE(posted->response_);
    CHECK(posted->response_->body == "ok");

    test.listener.recorder->on_each = nullptr;
    CHECK(test.post("4a")->response_->status == 200);

    FakeWebSocket& socket = test.make_socket();
    const auto handler = test.connect(socket);
    test.listener.session->slow_down();
    CHECK(socket.slowed);
}

TEST_CASE("who sends more packets than it may that are no messages is slowed down as well") {
    constexpr int kAllowed = 20;
    Fixture test(EngineOptions{});
    test.open_polling();
    std::string pongs;
    for (int i = 0; i < kAllowed; ++i) pongs += std::string(i ? "\x1e" : "") + "3";
    CHECK(test.post(pongs)->response_);
    const auto posted = test.post("3");
    CHECK_FALSE(posted->response_);
    test.reactor.advance(transport::kSlowedPause);
    CHECK(posted->response_);

    FakeWebSocket& socket = test.make_socket();
    const auto handler = test.connect(socket);
    for (int i = 0; i < kAllowed; ++i) handler->on_message("3", false);
    CHECK_FALSE(socket.slowed);
    handler->on_message("6", false);
    CHECK(std::exchange(socket.slowed, false));
    handler->on_message("4a", false);  // which is no excuse
    CHECK(std::exchange(socket.slowed, false));
    test.reactor.advance(1s);
    handler->on_message("4a", false);
    handler->on_message("3", false);
    CHECK_FALSE(socket.slowed);
}

TEST_CASE("a probe that goes on and on is dropped") {
    Fixture test;
    test.open_polling();
    FakeWebSocket& socket = test.make_socket();
    const auto handler = test.connect(socket, test.sid());
    for (int i = 0; i < 20; ++i) handler->on_message("2probe", false);
    CHECK_FALSE(socket.closed);
    handler->on_message("2probe", false);
    CHECK(socket.closed);
    CHECK(test.post("4a")->response_->status == 200);
}

TEST_CASE("a POST while the one before is held back ends the session") {
    Fixture test;
    test.open_polling();
    test.listener.recorder->on_each = [&] { test.listener.session->slow_down(); };
    const auto held = test.post("4a");
    CHECK(test.post("4b")->response_->status == 400);
    CHECK(test.listener.recorder->closed == std::vector<std::string>{"transport error"});
    CHECK(test.listener.recorder->messages == std::vector<std::string>{"a"});
    test.reactor.advance(transport::kSlowedPause);
    CHECK(held->response_->status == 200);
}

TEST_CASE("an address has so many sessions, an IPv6 network being one, and gets them back") {
    Handshakes test(with([](EngineOptions& o) { o.max_sessions_per_ip = 2; }));
    for (int storm = 0; storm < 50; ++storm) {
        std::vector<std::shared_ptr<Session>> sessions;
        for (const char* address : {"2001:db8::1", "2001:db8::2", "192.0.2.1", "192.0.2.1"}) {
            REQUIRE(test.status(address) == 200);
            sessions.push_back(test.listener.session);
        }
        const auto refused = test.ask("2001:db8::ffff");
        CHECK(refused->response_->status == 403);
        CHECK(refused->response_->body ==
              R"({"code":4,"message":"Too many connections from this address"})");
        CHECK(test.ask("192.0.2.1", true)->response_->status == 400);
        CHECK(test.status("2001:db8:0:1::1") == 200);
        sessions.push_back(test.listener.session);
        for (const auto& session : sessions) session->close(CloseReason::transport_error);
        test.reactor.advance(31s);
        REQUIRE(test.engine.session_count() == 0);
    }
}

TEST_CASE("a WebSocket handshake that fails, and one that ends, give the place back") {
    Handshakes test(with([](EngineOptions& o) { o.max_sessions_per_ip = 1; }));
    {
        const auto failed = test.ask("192.0.2.1", true);
        REQUIRE(failed->handler_);
        CHECK(test.status("192.0.2.1") == 403);  // the place is taken from the answer on
        failed->handler_->on_close(transport::WebSocketEnd::failed);
    }
    const auto opened = test.ask("192.0.2.1", true);
    REQUIRE(opened->handler_);
    auto& socket = test.make_socket();
    opened->handler_->on_open(socket);
    CHECK(test.status("192.0.2.1") == 403);
    opened->handler_->on_close(transport::WebSocketEnd::closed);
    CHECK(test.status("192.0.2.1") == 200);
}

TEST_CASE("without an address of their own clients have no limit by it") {
    Handshakes test(with([](EngineOptions& o) {
        o.max_sessions_per_ip = 1;
        o.handshakes_per_ip = Rate(1, 1000);
    }));
    for (int i = 0; i < 5; ++i) CHECK(test.status("unix:") == 200);
}

TEST_CASE("a polling client that fetches what is queued in time is not cut") {
    Handshakes test(with([](EngineOptions& o) {
        o.ping_interval = 1h;
        o.send_queue_age = 2s;
    }));
    test.open_polling();
    const auto recorder = test.listener.recorder;
    const auto say = [&] { test.listener.session->send(text_message("x"), {}); };
    say();
    test.reactor.advance(1900ms);
    CHECK(test.poll()->response_);
    say();  // by now another queue
    test.reactor.advance(1900ms);
    CHECK(recorder->closed.empty());
    CHECK(test.poll()->response_);
    test.reactor.advance(30min);
    CHECK(recorder->closed.empty());  // nothing is queued
}

TEST_CASE("a queue for polling that grows old ends the session, new bytes or not") {
    Handshakes test(with([](EngineOptions& o) {
        o.ping_interval = 1h;
        o.send_queue_age = 2s;
    }));
    test.open_polling();
    const auto before = incidents().count(IncidentKind::send_queue_ms);
    for (int i = 0; i < 4; ++i) {
        CHECK(test.listener.recorder->closed.empty());
        test.listener.session->send(text_message("x"), {});
        test.reactor.advance(500ms);
    }
    CHECK(test.listener.recorder->closed == std::vector<std::string>{"transport error"});
    CHECK(incidents().count(IncidentKind::send_queue_ms) == before + 1);
}

TEST_CASE("what ended a WebSocket is counted as the limit that it ran into") {
    Fixture test;
    const std::pair<transport::WebSocketEnd, IncidentKind> kEnds[] = {
        {transport::WebSocketEnd::too_large, IncidentKind::max_payload_bytes},
        {transport::WebSocketEnd::overflow, IncidentKind::send_queue_bytes},
        {transport::WebSocketEnd::stale, IncidentKind::send_queue_ms}};
    for (const auto& [end, kind] : kEnds) {
        const auto before = incidents().count(kind);
        const auto handler = test.connect(test.make_socket());
        handler->on_close(end);
        CHECK(incidents().count(kind) == before + 1);
    }
}
