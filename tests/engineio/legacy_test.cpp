// Engine.IO 3, base64 and JSONP clients.

#include "core/engineio/jsonp.hpp"
#include "tests/engineio/fixture.hpp"

namespace {

EngineOptions legacy_options() {
    EngineOptions options = quick_options();
    options.allow_eio3 = true;
    return options;
}

struct LegacyFixture : Fixture {
    LegacyFixture() : Fixture(legacy_options()) { eio = "3"; }
};

const std::string kBytes("\x01\x00\xff", 3);

}  // namespace

TEST_CASE("a v3 handshake has a length and no maxPayload") {
    LegacyFixture fixture;
    const std::string packet = "0{\"sid\":\"" + fixture.open_polling().substr(11, 20) +
                               "\",\"upgrades\":[\"websocket\"],\"pingInterval\":300,"
                               "\"pingTimeout\":200}";
    CHECK(fixture.listener.session->handshake()->protocol == 3);
    const std::string body = fixture.open_polling();
    CHECK(body.size() == packet.size() + 3);
    CHECK(body.starts_with(std::to_string(packet.size()) + ":0{\"sid\":\""));
    CHECK(body.ends_with("\"pingTimeout\":200}"));
}

TEST_CASE("a request without a version is one of Engine.IO 3 where that is allowed") {
    LegacyFixture fixture;
    CHECK(fixture.request("GET", "transport=polling")->response_->body.find(":0{") == 2);
    CHECK(fixture.listener.session->handshake()->protocol == 3);
}

TEST_CASE("v3 messages travel both ways over polling, text, binary and base64") {
    LegacyFixture fixture;
    fixture.open_polling();
    CHECK(fixture.post("6:4hello11:b4AQID/w==")->response_->status == 400);
    CHECK(fixture.listener.recorder->messages == std::vector<std::string>{"hello"});
    CHECK(fixture.listener.recorder->closed == std::vector<std::string>{"parse error"});

    fixture.open_polling();
    fixture.post("6:4hello6:b4AQD/");
    fixture.post(
        std::string("\x00\x02\xff", 3) + "4a" + std::string("\x01\x04\xff\x04", 4) + kBytes, {},
        {{"Content-Type", "application/octet-stream"}});
    CHECK(fixture.listener.recorder->messages ==
          std::vector<std::string>{"hello", "b:" + kBytes, "a", "b:" + kBytes});

    fixture.listener.session->send(text_message("one"), {});
    CHECK(fixture.poll()->response_->body == "4:4one");
    fixture.listener.session->send(text_message("two"), {});
    fixture.listener.session->send(binary_message(kBytes), {});
    const auto mixed = *fixture.poll()->response_;
    CHECK(mixed.body ==
          std::string("\x00\x04\xff", 3) + "4two" + std::string("\x01\x04\xff\x04", 4) + kBytes);
    CHECK(header_of(mixed, "content-type") == "application/octet-stream");
}

TEST_CASE("a v3 client that asked for base64 gets no bytes") {
    LegacyFixture fixture;
    fixture.open_polling("&b64=1");
    fixture.listener.session->send(binary_message(kBytes), {});
    const auto answer = *fixture.poll()->response_;
    CHECK(answer.body == "6:b4AQD/");
    CHECK(header_of(answer, "content-type") == "text/plain; charset=UTF-8");
}

TEST_CASE("a v3 client pings, is answered, and ends when it stops") {
    LegacyFixture fixture;
    fixture.open_polling();
    for (int i = 0; i < 3; ++i) {
        const auto poll = fixture.poll();
        fixture.reactor.advance(400ms);
        CHECK(poll->pending());
        fixture.post("1:2");
        CHECK(poll->response_->body == "1:3");
    }
    fixture.reactor.advance(499ms);
    CHECK(fixture.listener.recorder->closed.empty());
    fixture.reactor.advance(1ms);
    CHECK(fixture.listener.recorder->closed == std::vector<std::string>{"ping timeout"});
    CHECK(fixture.reactor.pending_timers() == 0);
}

TEST_CASE("a pong from a v3 client is a transport error") {
    LegacyFixture fixture;
    fixture.open_polling();
    fixture.post("1:3");
    CHECK(fixture.listener.recorder->closed == std::vector<std::string>{"transport error"});
}

TEST_CASE("a v3 session's end is told in v3's words") {
    LegacyFixture fixture;
    fixture.open_polling();
    SUBCASE("closed by us, with a poll") {
        const auto poll = fixture.poll();
        fixture.listener.session->close();
        CHECK(poll->response_->body == "1:1");
    }
    SUBCASE("closed by us, without one") {
        fixture.listener.session->close();
        CHECK(fixture.poll()->response_->body == "1:61:1");
    }
    SUBCASE("closed by the client") {
        const auto poll = fixture.poll();
        CHECK(fixture.post("1:1")->response_->body == "ok");
        CHECK(poll->response_->body == "1:6");
        CHECK(fixture.listener.recorder->closed == std::vector<std::string>{"transport close"});
    }
    CHECK(fixture.engine.session_count() == 0);
}

TEST_CASE("v3 binary on a WebSocket carries its type in a byte, both ways") {
    LegacyFixture fixture;
    FakeWebSocket& socket = fixture.make_socket();
    const auto handler = fixture.connect(socket);
    handler->on_message("4hi", false);
    handler->on_message("\x04" + kBytes, true);
    handler->on_message("b4AQD/", false);
    CHECK(fixture.listener.recorder->messages ==
          std::vector<std::string>{"hi", "b:" + kBytes, "b:" + kBytes});
    handler->on_message("2", false);
    CHECK(socket.sent.back() == "3");
    fixture.listener.session->send(binary_message(kBytes), {});
    CHECK(socket.sent.back() == "\x04" + kBytes);
    fixture.listener.session->send(text_message("yo"), {});
    CHECK(socket.sent.back() == "4yo");
    SUBCASE("an empty binary frame is a parse error") { handler->on_message("", true); }
    SUBCASE("and so is an unknown type") { handler->on_message("\x07", true); }
    CHECK(fixture.listener.recorder->closed == std::vector<std::string>{"parse error"});
}

TEST_CASE("a WebSocket that asked for base64 gets its binary as text") {
    LegacyFixture fixture;
    FakeWebSocket& socket = fixture.make_socket();
    std::string expected;
    SUBCASE("in protocol 3") { expected = "b4AQD/"; }
    SUBCASE("in protocol 4") {
        fixture.eio = "4";
        expected = "bAQD/";
    }
    const auto handler = fixture.connect(socket, "&b64=1");
    fixture.listener.session->send(binary_message(kBytes), {});
    CHECK(socket.sent.back() == expected);
    handler->on_message(expected, false);
    CHECK(fixture.listener.recorder->messages == std::vector<std::string>{"b:" + kBytes});
}

TEST_CASE("a v3 session upgrades, and its queue changes its form on the way") {
    LegacyFixture fixture;
    fixture.open_polling();
    const auto poll = fixture.poll();
    FakeWebSocket& socket = fixture.make_socket();
    const auto handler = fixture.connect(socket, fixture.sid());
    handler->on_message("2probe", false);
    fixture.reactor.settle();
    CHECK(socket.sent == std::vector<std::string>{"3probe"});
    CHECK(poll->response_->body == "1:6");
    fixture.listener.session->send(binary_message(kBytes), {});
    handler->on_message("5", false);
    CHECK(socket.sent.back() == "\x04" + kBytes);
    CHECK(fixture.listener.session->transport() == TransportKind::websocket);
}

TEST_CASE("bytes posted by a v4 client are a parse error") {
    Fixture fixture;
    fixture.open_polling();
    CHECK(
        fixture.post("4a", {}, {{"Content-Type", "application/octet-stream"}})->response_->status ==
        400);
    CHECK(fixture.listener.recorder->messages.empty());
    CHECK(fixture.engine.session_count() == 0);
}

TEST_CASE("a JSONP poll is answered with a script that calls the page back") {
    LegacyFixture fixture;
    std::string text;
    SUBCASE("in protocol 4") {
        fixture.eio = "4";
        text = "___eio[3](\"4\\\"\\\\\u20ac\\u2028\\u2029\u202a\\u001ebAQD/\");";
    }
    SUBCASE("in protocol 3") {
        text =
            "___eio[3](\"8:4\\\"\\\\\u20ac\\u2028\\u2029\u202a"
            "6:b4AQD/\");";
        text.replace(11, 1, "7");
    }
    CHECK(fixture.open_polling("&j=3").starts_with("___eio[3](\""));
    fixture.listener.session->send(text_message("\"\\\u20ac\u2028\u2029\u202a"), {});
    fixture.listener.session->send(binary_message(kBytes), {});
    const auto answer = *fixture.poll("&j=3")->response_;
    CHECK(answer.body == text);
    CHECK(header_of(answer, "content-type") == "text/javascript; charset=UTF-8");
    CHECK(header_of(answer, "x-content-type-options") == "nosniff");
}

TEST_CASE("only the digits of a callback's number are kept") {
    Fixture fixture;
    CHECK(fixture.open_polling("&j=alert(1)%3B").starts_with("___eio[1](\"0{"));
    CHECK(fixture.open_polling("&j=x").starts_with("___eio[](\"0{"));
    CHECK(fixture.open_polling("&j=").starts_with("0{"));
}

TEST_CASE("a JSONP form's payload is read, its newlines restored") {
    Fixture fixture;
    fixture.open_polling("&j=0");
    CHECK(fixture.post("d=4a%20b+c%5Cn%5C%5Cn", "&j=0")->response_->body == "ok");
    CHECK(fixture.listener.recorder->messages == std::vector<std::string>{"a b c\n\\n"});
    CHECK(fixture.post("x=1", "&j=0")->response_->body == "ok");
    CHECK(fixture.listener.recorder->closed.empty());
    CHECK(fixture.post("d=9", "&j=0")->response_->status == 400);
    CHECK(fixture.listener.recorder->closed == std::vector<std::string>{"parse error"});
}

TEST_CASE("newlines and backslashes before an n are told apart") {
    const auto read = [](std::string text) { return *jsonp::payload_of("d=" + std::move(text)); };
    CHECK(read("\\n") == "\n");
    CHECK(read("\\\\n") == "\\n");
    CHECK(read("\\\\\\n") == "\\\\n");
    CHECK(read("n\\\\") == "n\\\\");
    CHECK(read("\\n\\n") == "\n\n");
    CHECK(!jsonp::payload_of("e=1"));
}

TEST_CASE("old Internet Explorers are told not to take a payload for an attack") {
    Fixture fixture;
    const auto answer = *fixture
                             .request("GET", fixture.polling(), {}, false,
                                      {{"User-Agent", "Mozilla/5.0 (Windows; Trident/7.0)"}})
                             ->response_;
    CHECK(header_of(answer, "x-xss-protection") == "0");
}
