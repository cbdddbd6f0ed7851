#include "tests/engineio/fixture.hpp"

TEST_CASE("a polling handshake announces the session and its options") {
    Fixture fixture;
    const std::string body = fixture.open_polling();
    CHECK(body == "0{\"sid\":\"" + fixture.listener.session->id() +
                      "\",\"upgrades\":[\"websocket\"],\"pingInterval\":300,\"pingTimeout\":200,"
                      "\"maxPayload\":1000000}");
    CHECK(fixture.listener.session->transport() == TransportKind::polling);
    CHECK(fixture.engine.session_count() == 1);
}

TEST_CASE("refusals carry the reference's codes, in its order of checks") {
    Fixture fixture;
    const auto body = [&](const std::string& method, const std::string& query, bool upgrade = false,
                          transport::Headers headers = {}) {
        const auto response =
            *fixture.request(method, query, {}, upgrade, std::move(headers))->response_;
        return std::to_string(response.status) + " " + response.body;
    };
    CHECK(body("GET", "EIO=4") == "400 {\"code\":0,\"message\":\"Transport unknown\"}");
    CHECK(body("GET", "EIO=4&transport=abc") == "400 {\"code\":0,\"message\":\"Transport unknown\"}");
    CHECK(body("GET", "EIO=4&transport=polling&sid=x") ==
          "400 {\"code\":1,\"message\":\"Session ID unknown\"}");
    CHECK(body("POST", "EIO=4&transport=polling") ==
          "400 {\"code\":2,\"message\":\"Bad handshake method\"}");
    CHECK(body("OPTIONS", "EIO=4&transport=polling") ==
          "400 {\"code\":2,\"message\":\"Bad handshake method\"}");
    CHECK(body("GET", "EIO=4&transport=websocket") == "400 {\"code\":3,\"message\":\"Bad request\"}");
    CHECK(body("GET", "EIO=4&transport=polling", false, {{"Origin", "a\x01"}}) ==
          "400 {\"code\":3,\"message\":\"Bad request\"}");
    CHECK(body("GET", "EIO=3&transport=polling") ==
          "400 {\"code\":5,\"message\":\"Unsupported protocol version\"}");
    CHECK(body("GET", "transport=polling") ==
          "400 {\"code\":5,\"message\":\"Unsupported protocol version\"}");
    CHECK(body("GET", "EIO=4&transport=websocket&sid=x", true) == "400 Session ID unknown");
    const auto refused = [&](RefusalReason reason) {
        return fixture.engine.stats(0).refused[static_cast<std::size_t>(reason)].get();
    };
    CHECK(refused(RefusalReason::transport) == 2);
    CHECK(refused(RefusalReason::session) == 2);
    CHECK(refused(RefusalReason::method) == 2);
    CHECK(refused(RefusalReason::malformed) == 2);
    CHECK(refused(RefusalReason::protocol) == 2);
}

TEST_CASE("messages travel both ways over polling, text and binary, in order") {
    Fixture fixture;
    fixture.open_polling();
    CHECK(fixture.post("4hello\x1e" "bAQIDBA==")->response_->body == "ok");
    CHECK(fixture.listener.recorder->messages ==
          std::vector<std::string>{"hello", "b:\x01\x02\x03\x04"});

    fixture.listener.session->send(text_message("one"), {});
    fixture.listener.session->send(binary_message("\x01\x02\x03\x04"), {});
    CHECK(fixture.poll()->response_->body == "4one\x1e" "bAQIDBA==");

    const auto waiting = fixture.poll();
    CHECK(waiting->pending());
    fixture.listener.session->send(text_message("two"), {});
    fixture.listener.session->send(text_message("three"), {});
    CHECK(waiting->pending());  // one answer a turn
    fixture.reactor.settle();
    CHECK(waiting->response_->body == "4two\x1e" "4three");
}

TEST_CASE("a second poll ends the session; the first one is told") {
    Fixture fixture;
    fixture.open_polling();
    const auto first = fixture.poll();
    const auto second = fixture.poll();
    CHECK(first->response_->body == "1");
    CHECK(second->response_->status == 400);
    CHECK(second->response_->body.empty());
    CHECK(fixture.listener.recorder->closed == std::vector<std::string>{"transport error"});
    CHECK(fixture.poll()->response_->status == 400);
}

TEST_CASE("a poll whose client goes away ends the session") {
    Fixture fixture;
    fixture.open_polling();
    fixture.poll()->abort();
    CHECK(fixture.listener.recorder->closed == std::vector<std::string>{"transport error"});
    CHECK(fixture.engine.session_count() == 0);
}

TEST_CASE("a malformed payload ends the session, and what came before it was delivered") {
    Fixture fixture;
    fixture.open_polling();
    CHECK(fixture.post("4ok\x1e" "abc")->response_->status == 400);
    CHECK(fixture.listener.recorder->messages == std::vector<std::string>{"ok"});
    CHECK(fixture.listener.recorder->closed == std::vector<std::string>{"parse error"});
}

TEST_CASE("a client's close answers the pending poll with a noop") {
    Fixture fixture;
    fixture.open_polling();
    const auto poll = fixture.poll();
    CHECK(fixture.post("1")->response_->body == "ok");
    CHECK(poll->response_->body == "6");
    CHECK(fixture.listener.recorder->closed == std::vector<std::string>{"transport close"});
    CHECK(fixture.poll()->response_->status == 400);
}

TEST_CASE("a poll that arrives just after the client's close is answered, once") {
    Fixture fixture;
    fixture.open_polling();
    fixture.post("1");
    CHECK(fixture.listener.recorder->closed == std::vector<std::string>{"transport close"});
    SUBCASE("it comes") {
        CHECK(fixture.poll()->response_->body == "6");
        CHECK(fixture.poll()->response_->status == 400);
    }
    SUBCASE("it never comes") { fixture.reactor.advance(2s); }
    CHECK(fixture.engine.session_count() == 0);
    CHECK(fixture.reactor.pending_timers() == 0);
}

TEST_CASE("a close by the server waits for the next poll, for a while") {
    Fixture fixture;
    fixture.open_polling();
    fixture.listener.session->close();
    CHECK(fixture.listener.recorder->closed.empty());  // never from within the call
    fixture.reactor.settle();
    CHECK(fixture.listener.recorder->closed == std::vector<std::string>{"forced close"});
    CHECK(fixture.engine.session_count() == 1);
    SUBCASE("the client polls") { CHECK(fixture.poll()->response_->body == "6\x1e" "1"); }
    SUBCASE("the client never does") { fixture.reactor.advance(30s); }
    CHECK(fixture.engine.session_count() == 0);
}

TEST_CASE("what is queued at a close by the server still reaches the client") {
    Fixture fixture;
    fixture.open_polling();
    fixture.listener.session->send(text_message("last words"), {});
    fixture.listener.session->close();
    CHECK(fixture.poll()->response_->body == "4last words");
    CHECK(fixture.poll()->response_->body == "6\x1e" "1");
    CHECK(fixture.engine.session_count() == 0);
}

TEST_CASE("a close never shares a poll with the packets before it") {
    Fixture fixture;
    fixture.open_polling();
    const auto poll = fixture.poll();
    fixture.listener.session->send(text_message("1"), {});
    fixture.listener.session->close();
    CHECK(poll->response_->body == "41");
    CHECK(fixture.poll()->response_->body == "6\x1e" "1");
}

TEST_CASE("a heartbeat that is answered keeps the session and measures its latency") {
    Fixture fixture;
    fixture.open_polling();
    for (int i = 0; i < 3; ++i) {
        const auto poll = fixture.poll();
        fixture.reactor.advance(300ms);
        CHECK(poll->response_->body == "2");
        fixture.reactor.advance(40ms);
        fixture.post("3");
    }
    CHECK(fixture.listener.session->latency() == 40ms);
    CHECK(fixture.listener.recorder->closed.empty());
}

TEST_CASE("a heartbeat that is not answered ends the session") {
    Fixture fixture;
    fixture.open_polling();
    fixture.reactor.advance(499ms);
    CHECK(fixture.listener.recorder->closed.empty());
    fixture.reactor.advance(1ms);
    CHECK(fixture.listener.recorder->closed == std::vector<std::string>{"ping timeout"});
    CHECK(fixture.poll()->response_->status == 400);
    CHECK(fixture.reactor.pending_timers() == 0);
}

TEST_CASE("a ping from a client of protocol 4 is a transport error") {
    Fixture fixture;
    fixture.open_polling();
    fixture.post("2");
    CHECK(fixture.listener.recorder->closed == std::vector<std::string>{"transport error"});
}

TEST_CASE("volatile messages are dropped when no poll is waiting") {
    Fixture fixture;
    fixture.open_polling();
    fixture.listener.session->send(text_message("lost"), {.is_volatile = true});
    const auto poll = fixture.poll();
    fixture.listener.session->send(text_message("seen"), {.is_volatile = true});
    fixture.reactor.settle();
    CHECK(poll->response_->body == "4seen");
    CHECK(fixture.engine.stats(0).volatile_dropped.get() == 1);
}

TEST_CASE("what waits for a poll is counted until it is fetched, or its session has ended") {
    Fixture fixture;
    fixture.open_polling();
    const Counter& queued = fixture.engine.stats(0).polling_queued_bytes;
    CHECK(queued.get() == 0);
    fixture.listener.session->send(text_message("12345"), {});
    CHECK(queued.get() == 6);
    fixture.poll();
    fixture.reactor.settle();
    CHECK(queued.get() == 0);
    for (int i = 0; i < 12; ++i)
        fixture.listener.session->send(text_message(std::string(99, 'x')), {});
    fixture.reactor.settle();
    CHECK(fixture.engine.session_count() == 0);
    CHECK(queued.get() == 0);
}

TEST_CASE("a client that does not fetch its queue is cut at the limit") {
    Fixture fixture;
    fixture.open_polling();
    for (int i = 0; i < 12; ++i)
        fixture.listener.session->send(text_message(std::string(99, 'x')), {});
    fixture.reactor.settle();
    CHECK(fixture.listener.recorder->closed == std::vector<std::string>{"transport error"});
    CHECK(fixture.engine.session_count() == 0);
}

TEST_CASE("a WebSocket session opens without upgrades and relays frames") {
    Fixture fixture;
    FakeWebSocket& socket = fixture.make_socket();
    const auto handler = fixture.connect(socket);
    REQUIRE(socket.sent.size() == 1);
    CHECK(socket.sent[0].find("\"upgrades\":[]") != std::string::npos);
    handler->on_message("4hi", false);
    handler->on_message("\x01\x02", true);
    CHECK(fixture.listener.recorder->messages == std::vector<std::string>{"hi", "b:\x01\x02"});
    fixture.listener.session->send(text_message("yo"), {});
    CHECK(socket.sent[1] == "4yo");
    socket.writable_ = false;
    fixture.listener.session->send(text_message("lost"), {.is_volatile = true});
    CHECK(socket.sent.size() == 2);

    SUBCASE("an orderly end is a transport close") {
        handler->on_close(transport::WebSocketEnd::closed);
        CHECK(fixture.listener.recorder->closed == std::vector<std::string>{"transport close"});
    }
    SUBCASE("a reset is a transport error") {
        handler->on_close(transport::WebSocketEnd::failed);
        CHECK(fixture.listener.recorder->closed == std::vector<std::string>{"transport error"});
    }
    SUBCASE("a malformed packet is a parse error") {
        handler->on_message("abc", false);
        CHECK(socket.closed);
        CHECK(fixture.listener.recorder->closed == std::vector<std::string>{"parse error"});
    }
    SUBCASE("an empty frame is a parse error") {
        handler->on_message("", false);
        CHECK(fixture.listener.recorder->closed == std::vector<std::string>{"parse error"});
    }
    SUBCASE("a close packet ends it") {
        handler->on_message("1", false);
        CHECK(socket.closed);
        CHECK(fixture.listener.recorder->closed == std::vector<std::string>{"transport close"});
    }
    CHECK(fixture.engine.session_count() == 0);
    CHECK(fixture.reactor.pending_timers() == 0);
}

TEST_CASE("an upgrade probes, flushes the poll, and takes the queue along") {
    Fixture fixture;
    fixture.open_polling();
    const auto poll = fixture.poll();
    FakeWebSocket& socket = fixture.make_socket();
    const auto handler = fixture.connect(socket, fixture.sid());
    handler->on_message("2probe", false);
    fixture.reactor.settle();
    CHECK(socket.sent == std::vector<std::string>{"3probe"});
    CHECK(poll->response_->body == "6");
    CHECK(fixture.poll()->response_->body == "6");  // as long as the client polls on

    fixture.listener.session->send(text_message("between"), {});
    handler->on_message("5", false);
    CHECK(socket.sent.back() == "4between");
    CHECK(fixture.listener.recorder->upgrades == 1);
    CHECK(fixture.listener.session->transport() == TransportKind::websocket);
    handler->on_message("4hi", false);
    CHECK(fixture.listener.recorder->messages == std::vector<std::string>{"hi"});

    CHECK(fixture.poll()->response_->body == "{\"code\":3,\"message\":\"Bad request\"}");
    FakeWebSocket& second = fixture.make_socket();
    fixture.connect(second, fixture.sid());
    CHECK(second.closed);
    CHECK(fixture.listener.recorder->closed.empty());
    CHECK(fixture.engine.stats(0).upgrades.get() == 1);
}

TEST_CASE("an upgrade that goes wrong costs the session nothing") {
    Fixture fixture{EngineOptions{}};
    fixture.open_polling();
    FakeWebSocket& socket = fixture.make_socket();
    const auto handler = fixture.connect(socket, fixture.sid());
    SUBCASE("another packet than the probe") { handler->on_message("4hi", false); }
    SUBCASE("a switch without a probe") { handler->on_message("5", false); }
    SUBCASE("silence until the timeout") { fixture.reactor.advance(10s); }
    SUBCASE("the new connection breaks") {
        handler->on_message("2probe", false);
        handler->on_close(transport::WebSocketEnd::failed);
        socket.closed = true;
    }
    CHECK(socket.closed);
    CHECK(fixture.listener.recorder->closed.empty());
    CHECK(fixture.listener.recorder->upgrades == 0);
    fixture.listener.session->send(text_message("still here"), {});
    CHECK(fixture.poll()->response_->body == "4still here");
}

TEST_CASE("transports that are switched off are unknown, and not offered") {
    EngineOptions options = quick_options();
    options.websocket = false;
    Fixture fixture(options);
    CHECK(fixture.open_polling().find("\"upgrades\":[]") != std::string::npos);
    CHECK(fixture.request("GET", "EIO=4&transport=websocket", {}, true)->response_->body ==
          "Transport unknown");
}

TEST_CASE("a handshake over the limit of sessions is forbidden") {
    EngineOptions options = quick_options();
    options.max_sessions = 1;
    Fixture fixture(options);
    fixture.open_polling();
    const auto refused = *fixture.request("GET", fixture.polling())->response_;
    CHECK(refused.status == 403);
    CHECK(refused.body == "{\"code\":4,\"message\":\"Too many connections\"}");
}

TEST_CASE("CORS answers listed origins, preflights, and nobody else") {
    EngineOptions options = quick_options();
    options.cors = CorsPolicy({"http://a.example"}, true);
    Fixture fixture(options);
    const auto listed = *fixture
                             .request("GET", fixture.polling(), {}, false,
                                      {{"Origin", "http://a.example"}})
                             ->response_;
    CHECK(header_of(listed, "access-control-allow-origin") == "http://a.example");
    CHECK(header_of(listed, "access-control-allow-credentials") == "true");
    CHECK(header_of(listed, "vary") == "Origin");
    const auto foreign = *fixture
                              .request("GET", fixture.polling(), {}, false,
                                       {{"Origin", "http://b.example"}})
                              ->response_;
    CHECK(foreign.status == 200);
    CHECK(header_of(foreign, "access-control-allow-origin") == "-");
    const auto preflight = *fixture
                                .request("OPTIONS", fixture.polling(), {}, false,
                                         {{"Origin", "http://a.example"},
                                          {"Access-Control-Request-Headers", "x-mine"}})
                                ->response_;
    CHECK(preflight.status == 204);
    CHECK(header_of(preflight, "access-control-allow-headers") == "x-mine");
}

TEST_CASE("shutting down closes every session and refuses new ones") {
    Fixture fixture;
    fixture.open_polling();
    const auto poll = fixture.poll();
    fixture.engine.shut_down();
    fixture.reactor.settle();
    CHECK(poll->response_->body == "1");
    CHECK(fixture.engine.session_count() == 0);
    CHECK(fixture.request("GET", fixture.polling())->response_->status == 403);
}
