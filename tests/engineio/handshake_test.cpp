// What a handshake meets before there is a session, and what its answer carries.

#include "core/engineio/handshake_guard.hpp"
#include "tests/engineio/fixture.hpp"

namespace {

/// Decides when the test says so.
struct FakeGuard final : HandshakeGuard {
    bool active() const override { return on; }
    void check(const HttpRequest& request, Function<void(Verdict)> decide) override {
        asked.push_back(request.target);
        pending = std::move(decide);
    }
    bool on = true;
    std::vector<std::string> asked;
    Function<void(Verdict)> pending;
};

struct GuardedFixture {
    GuardedFixture() : fixture(options()) {}
    EngineOptions options() {
        EngineOptions made = quick_options();
        made.guard = &guard;
        made.handshake_timeout = 5s;
        return made;
    }
    void decide(Verdict verdict) {
        guard.pending(std::move(verdict));
        fixture.reactor.settle();
    }
    FakeGuard guard;
    Fixture fixture;
};

}  // namespace

TEST_CASE("a guard that allows has its headers in the handshake's answer, and only there") {
    GuardedFixture guarded;
    Fixture& fixture = guarded.fixture;
    const auto exchange = fixture.request("GET", fixture.polling());
    CHECK(exchange->pending());
    CHECK(fixture.engine.session_count() == 0);
    guarded.decide({true, {}, {{"x-mine", "1"}}});
    CHECK(exchange->response_->body.starts_with("0{"));
    CHECK(header_of(*exchange->response_, "x-mine") == "1");
    fixture.listener.session->send(text_message("a"), {});
    const auto poll = fixture.poll();
    CHECK(poll->response_->body == "4a");
    CHECK(header_of(*poll->response_, "x-mine") == "-");
    CHECK(guarded.guard.asked.size() == 1);
    CHECK(fixture.reactor.pending_timers() == 1);  // the heartbeat
}

TEST_CASE("a guard's headers go with a WebSocket's upgrade") {
    GuardedFixture guarded;
    const auto exchange = guarded.fixture.request("GET", "EIO=4&transport=websocket", {}, true);
    guarded.decide({true, {}, {{"x-mine", "1"}}});
    REQUIRE(exchange->handler_);
    CHECK(exchange->upgrade_headers_ == transport::Headers{{"x-mine", "1"}});
    exchange->handler_->on_close(transport::WebSocketEnd::failed);
}

TEST_CASE("a guard that refuses is told to the client") {
    GuardedFixture guarded;
    bool upgrade = false;
    std::string message, expected;
    SUBCASE("with its word") {
        message = "not you";
        expected = "403 {\"code\":4,\"message\":\"not you\"}";
    }
    SUBCASE("without a word") { expected = "403 {\"code\":4,\"message\":\"Forbidden\"}"; }
    SUBCASE("to a WebSocket") {
        upgrade = true;
        message = "not you";
        expected = "400 not you";
    }
    const auto exchange = guarded.fixture.request(
        "GET", upgrade ? "EIO=4&transport=websocket" : "EIO=4&transport=polling", {}, upgrade);
    guarded.decide({false, message, {}});
    CHECK(std::to_string(exchange->response_->status) + " " + exchange->response_->body ==
          expected);
    CHECK(guarded.fixture.engine.session_count() == 0);
    CHECK(guarded.fixture.reactor.pending_timers() == 0);
}

TEST_CASE("a guard is asked before the version is judged, and not for what fails before") {
    GuardedFixture guarded;
    Fixture& fixture = guarded.fixture;
    const auto old = fixture.request("GET", "EIO=3&transport=polling");
    guarded.decide({true, {}, {}});
    CHECK(old->response_->body == "{\"code\":5,\"message\":\"Unsupported protocol version\"}");
    fixture.request("POST", fixture.polling());
    fixture.request("GET", fixture.polling("&sid=x"));
    guarded.guard.on = false;
    fixture.open_polling();
    CHECK(guarded.guard.asked.size() == 1);
}

TEST_CASE("a guard that does not decide in time has refused") {
    GuardedFixture guarded;
    const auto exchange = guarded.fixture.request("GET", guarded.fixture.polling());
    guarded.fixture.reactor.advance(5s);
    CHECK(exchange->response_->status == 403);
    guarded.decide({true, {}, {}});
    CHECK(guarded.fixture.engine.session_count() == 0);
}

TEST_CASE("a client that leaves while the guard ponders gets no session") {
    GuardedFixture guarded;
    guarded.fixture.request("GET", guarded.fixture.polling())->abort();
    guarded.decide({true, {}, {}});
    CHECK(guarded.fixture.engine.session_count() == 0);
    CHECK(guarded.fixture.reactor.pending_timers() == 0);
}

TEST_CASE("only listed origins may connect, by either transport; others than browsers may") {
    EngineOptions options = quick_options();
    options.allowed_origins = {"https://a.example"};
    Fixture fixture(options);
    const auto answer = [&](const std::string& origin, bool upgrade) {
        const auto exchange =
            fixture.request("GET", upgrade ? "EIO=4&transport=websocket" : fixture.polling(), {},
                            upgrade, {{"Origin", origin}});
        if (exchange->handler_) {
            exchange->handler_->on_close(transport::WebSocketEnd::failed);
            return std::string("upgraded");
        }
        return std::to_string(exchange->response_->status) + " " + exchange->response_->body;
    };
    CHECK(answer("https://a.example", false).starts_with("200 0{"));
    CHECK(answer("https://a.example", true) == "upgraded");
    CHECK(answer("", true) == "upgraded");
    CHECK(answer("https://b.example", false) == "403 {\"code\":4,\"message\":\"Forbidden\"}");
    CHECK(answer("https://b.example", true) == "400 Forbidden");
    CHECK(answer("null", true) == "400 Forbidden");
}

TEST_CASE("a polling handshake sets the cookie that the settings name") {
    EngineOptions options = quick_options();
    options.cookie.name = "io";
    std::string attributes = "; Path=/; HttpOnly; SameSite=Lax";
    SUBCASE("with the reference's attributes") {}
    SUBCASE("with others") {
        options.cookie.path = "/x";
        options.cookie.same_site = "None";
        options.cookie.secure = true;
        options.cookie.max_age_seconds = 60;
        attributes = "; Max-Age=60; Path=/x; HttpOnly; Secure; SameSite=None";
    }
    Fixture fixture(options);
    const auto exchange = fixture.request("GET", fixture.polling());
    CHECK(header_of(*exchange->response_, "set-cookie") ==
          "io=" + fixture.listener.session->id() + attributes);
    fixture.listener.session->send(text_message("a"), {});
    CHECK(header_of(*fixture.poll()->response_, "set-cookie") == "-");
    const auto upgrade = fixture.request("GET", "EIO=4&transport=websocket", {}, true);
    CHECK(upgrade->upgrade_headers_.empty());
    upgrade->handler_->on_close(transport::WebSocketEnd::failed);
}

TEST_CASE("a large polling response is compressed if the client takes it and any packet may be") {
    EngineOptions options;
    Fixture fixture(options);
    fixture.open_polling();
    const auto answer = [&](const char* accept) {
        return *fixture
                    .request("GET", fixture.polling(fixture.sid()), {}, false,
                             {{"Accept-Encoding", accept}})
                    ->response_;
    };
    const std::string large(1024, 'x');
    Session& session = *fixture.listener.session;
    session.send(text_message(large), {});
    const auto gzip = answer("gzip, deflate");
    CHECK(header_of(gzip, "content-encoding") == "gzip");
    CHECK(header_of(gzip, "vary") == "Accept-Encoding");
    CHECK(header_of(gzip, "content-type") == "text/plain; charset=UTF-8");
    CHECK(gzip.body.size() < 100);

    session.send(text_message(large), {});
    CHECK(header_of(answer("gzip;q=0.1, deflate"), "content-encoding") == "deflate");
    session.send(text_message(large), {});
    const auto plain = answer("br");
    CHECK(header_of(plain, "content-encoding") == "-");
    CHECK(header_of(plain, "vary") == "Accept-Encoding");
    CHECK(plain.body == "4" + large);

    session.send(text_message(large), {.compress = false});
    CHECK(answer("gzip").body == "4" + large);
    session.send(text_message(large), {.compress = false});
    session.send(text_message("a"), {});
    CHECK(header_of(answer("gzip"), "content-encoding") == "gzip");
    session.send(text_message(std::string(1022, 'x')), {});  // a byte below the threshold
    CHECK(header_of(answer("gzip"), "content-encoding") == "-");
}

TEST_CASE("polling responses stay plain where compression is switched off") {
    EngineOptions options;
    options.http_compression = false;
    Fixture fixture(options);
    fixture.open_polling();
    fixture.listener.session->send(text_message(std::string(5000, 'x')), {});
    const auto answer = *fixture
                             .request("GET", fixture.polling(fixture.sid()), {}, false,
                                      {{"Accept-Encoding", "gzip"}})
                             ->response_;
    CHECK(header_of(answer, "content-encoding") == "-");
    CHECK(answer.body.size() == 5001);
}
