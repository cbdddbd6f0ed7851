#include "core/socketio/namespace.hpp"

#include <algorithm>
#include <chrono>

#include "tests/socketio/fixture.hpp"

using namespace moonwire;
using namespace moonwire::socketio;
using namespace std::chrono_literals;

TEST_CASE("a client joins namespaces over one session") {
    Fixture fixture;
    const auto session = fixture.open();
    session->receive("0{\"token\":\"123\"}");
    session->receive("0/chat,");
    const auto sent = session->take();
    CHECK(sent[0] == "0{\"sid\":\"" + fixture.main->last->id() + "\"}");
    CHECK(sent[1] == "0/chat,{\"sid\":\"" + fixture.chat->last->id() + "\"}");
    CHECK(fixture.main->take() == Lines{"connecting {\"token\":\"123\"}", "connect"});
    CHECK(fixture.chat->take() == Lines{"connecting {}", "connect"});
    CHECK(fixture.main->last->id() != session->id());
}

TEST_CASE("an unknown namespace and a refusal are answered with CONNECT_ERROR") {
    Fixture fixture;
    const auto session = fixture.open();
    session->receive("0/random");
    CHECK(session->take() == Lines{"4/random,{\"message\":\"Invalid namespace\"}"});
    fixture.chat->refusal = Refusal{"no \"you\"", R"({"code":"x"})"};
    session->receive("0/chat,");
    CHECK(session->take() ==
          Lines{"4/chat,{\"message\":\"no \\\"you\\\"\",\"data\":{\"code\":\"x\"}}"});
    fixture.chat->refusal.reset();
    session->receive("0/chat,");  // may try again
    CHECK(session->take().size() == 1);
    CHECK(fixture.nsp("/chat").stats().refused.get() == 1);
}

TEST_CASE("middleware that waits admits later, and not a client that has left") {
    Fixture fixture;
    fixture.main->hold = true;
    const auto first = fixture.open();
    const auto second = fixture.open();
    first->receive("0");
    second->receive("0");
    CHECK(first->take().empty());
    first->finish(engineio::CloseReason::transport_close);
    for (auto& decide : fixture.main->pending) decide({});
    CHECK(first->take().empty());
    CHECK(second->take().size() == 1);
    CHECK(fixture.nsp("/").socket_count() == 1);
    CHECK(fixture.main->take() == Lines{"connecting {}", "connecting {}", "connect"});
}

TEST_CASE("rooms joined in middleware count once the client is in") {
    Fixture fixture;
    fixture.main->hold = true;
    const auto session = fixture.open();
    session->receive("0");
    fixture.main->last->join("early");
    CHECK(fixture.nsp("/").count({{"early"}, {}}) == 0);
    fixture.main->pending[0]({});
    CHECK(fixture.nsp("/").count({{"early"}, {}}) == 1);
}

TEST_CASE("a violation of the protocol closes the session") {
    Fixture fixture;
    const auto closes = [&](auto... messages) {
        const auto session = fixture.open();
        (session->receive(messages), ...);
        return session->closed == engineio::CloseReason::parse_error;
    };
    CHECK(closes("abc"));
    CHECK(closes("2[\"a\"]"));                     // EVENT before CONNECT
    CHECK(closes("0", "0"));                       // a second CONNECT
    CHECK(closes("0", "2{}"));
    CHECK(closes("0", "2abc[\"m\"]"));
    CHECK(closes("0", "2[\"disconnect\"]"));       // reserved
    CHECK(closes("0", "2[\"broken\"]"));           // the handler found bad JSON
    CHECK(closes("0", "51-[\"a\"]", "2[\"b\"]"));  // text where an attachment was due
    CHECK(closes("1"));
    const auto session = fixture.open();
    session->receive("0");
    session->receive_binary("x");  // binary out of the blue
    CHECK(session->closed == engineio::CloseReason::parse_error);
}

TEST_CASE("events are acknowledged once") {
    Fixture fixture;
    const auto session = fixture.join();
    session->receive("2456[\"echo\",1,\"2\"]");
    CHECK(session->take() == Lines{"3456[\"echo\",1,\"2\"]"});
    session->receive("2[\"echo\"]");
    CHECK(session->take().empty());
    session->receive("27[\"fail\"]");
    session->receive("2[\"fail\"]");
    CHECK(session->take() == Lines{"37[{\"error\":{\"code\":\"no\"}}]", "2[\"error\",{\"code\":\"no\"}]"});
}

TEST_CASE("binary events carry their attachments in both directions") {
    Fixture fixture;
    const auto session = fixture.join();
    session->receive(R"(52-789["echo",{"_placeholder":true,"num":0},{"_placeholder":true,"num":1}])");
    session->receive_binary("abc");
    CHECK(fixture.main->take().size() == 2);  // connecting, connect: not yet
    session->receive_binary("def");
    CHECK(fixture.main->take() ==
          Lines{R"(event echo ["echo",{"_placeholder":true,"num":0},{"_placeholder":true,"num":1}] abc def)"});
    CHECK(session->take() ==
          Lines{R"(62-789["echo",{"_placeholder":true,"num":0},{"_placeholder":true,"num":1}])",
                "b:abc", "b:def"});
}

TEST_CASE("a call is answered, times out, or ends with the socket") {
    Fixture fixture;
    const auto session = fixture.join();
    Lines outcomes;
    const auto record = [&](AckOutcome outcome, Payload payload) {
        outcomes.push_back(outcome == AckOutcome::answered  ? std::string(payload.json)
                           : outcome == AckOutcome::timeout ? "timeout"
                                                            : "disconnected");
        return true;
    };
    const SocketPtr socket = fixture.main->last;
    socket->call({"[\"q\"]"}, 5s, record);
    socket->call({"[\"q\"]"}, 5s, record);
    socket->call({"[\"q\"]"}, std::nullopt, record);
    CHECK(session->take() == Lines{"20[\"q\"]", "21[\"q\"]", "22[\"q\"]"});
    session->receive("30[\"a\"]");
    session->receive("30[\"again\"]");
    session->receive("399[\"unknown\"]");
    fixture.reactor.advance(5s);
    CHECK(outcomes == Lines{"[\"a\"]", "timeout"});
    session->finish(engineio::CloseReason::transport_close);
    CHECK(outcomes.back() == "disconnected");
    socket->call({"[\"q\"]"}, std::nullopt, record);
    CHECK(outcomes.size() == 3);  // never from within the call
    fixture.reactor.settle();
    CHECK(outcomes.size() == 4);
}

TEST_CASE("a broadcast is framed once and reaches each member of its rooms once") {
    Fixture fixture;
    std::vector<std::shared_ptr<FakeSession>> sessions;
    std::vector<SocketPtr> sockets;
    for (int i = 0; i < 4; ++i) {
        sessions.push_back(fixture.join());
        sockets.push_back(fixture.main->last);
    }
    Namespace& nsp = fixture.nsp("/");
    sockets[0]->join("red");
    sockets[1]->join("red");
    sockets[1]->join("blue");
    sockets[1]->join("blue");
    sockets[2]->join("blue");
    const auto received = [&](Target target) {
        nsp.broadcast(target, {"[\"e\"]"}, {});
        std::string who;
        for (const auto& session : sessions) {
            const auto sent = session->take();
            if (sent == Lines{"2[\"e\"]"}) who += '1';
            else who += sent.empty() ? '0' : '?';
        }
        return who;
    };
    CHECK(received({}) == "1111");
    CHECK(sessions[0]->wires[0] == sessions[3]->wires[0]);
    CHECK(received({{"red"}, {}}) == "1100");
    CHECK(received({{"red", "blue"}, {}}) == "1110");
    CHECK(received({{"red", "blue"}, {sockets[1]->id()}}) == "1010");
    CHECK(received({{}, {"blue"}}) == "1001");
    CHECK(received({{sockets[3]->id()}, {}}) == "0001");
    CHECK(received({{sockets[3]->id(), "red"}, {}}) == "1101");
    CHECK(received({{"nobody"}, {}}) == "0000");
    sockets[1]->leave("red");
    CHECK(received({{"red"}, {}}) == "1000");
    CHECK(nsp.room_count() == 2);
    sessions[0]->finish(engineio::CloseReason::transport_close);
    CHECK(nsp.room_count() == 1);
    CHECK(nsp.count({}) == 3);
}

TEST_CASE("bulk operations move, count and disconnect whole rooms") {
    Fixture fixture;
    const auto first = fixture.join();
    const SocketPtr one = fixture.main->last;
    const auto second = fixture.join();
    Namespace& nsp = fixture.nsp("/");
    nsp.join({}, {"all", "some"});
    nsp.leave({{one->id()}, {}}, {"some"});
    CHECK(nsp.count({{"all"}, {}}) == 2);
    CHECK(nsp.select({{"some"}, {}}).size() == 1);
    nsp.disconnect({{"some"}, {}}, false);
    fixture.reactor.settle();
    CHECK(second->take() == Lines{"1"});
    CHECK_FALSE(second->closed);
    CHECK(nsp.socket_count() == 1);
    CHECK(nsp.room_names() == Lines{"all"});
}

TEST_CASE("a broadcast call gathers replies until all have answered or the time is over") {
    Fixture fixture;
    const auto first = fixture.join();
    const auto second = fixture.join();
    BroadcastReplies replies;
    std::optional<bool> complete;
    const auto record = [&](BroadcastReplies got, bool all) {
        replies = std::move(got);
        complete = all;
    };
    Namespace& nsp = fixture.nsp("/");
    nsp.broadcast_call({}, {"[\"q\"]"}, 5s, record);
    CHECK(first->take() == Lines{"20[\"q\"]"});
    first->receive("30[1]");
    CHECK_FALSE(complete);
    SUBCASE("all answer") {
        second->receive("30[2]");
        CHECK(complete == true);
        CHECK(replies.size() == 2);
        CHECK(replies[1].json == "[2]");
    }
    SUBCASE("one is silent") {
        fixture.reactor.advance(5s);
        CHECK(complete == false);
        CHECK(replies.size() == 1);
    }
    SUBCASE("one leaves") {
        second->finish(engineio::CloseReason::transport_close);
        CHECK(complete == false);
        CHECK(replies.size() == 1);
    }
    nsp.broadcast_call({{"nobody"}, {}}, {"[\"q\"]"}, 5s, record);
    fixture.reactor.settle();
    CHECK(complete == true);
    CHECK(replies.empty());
}

TEST_CASE("every way to leave has its reason, rooms are there while disconnecting") {
    Fixture fixture;
    const auto session = fixture.join();
    const SocketPtr socket = fixture.main->last;
    socket->join("room");
    fixture.main->take();
    SUBCASE("the client leaves the namespace") {
        session->receive("1");
        CHECK(fixture.main->take() == Lines{"disconnecting client namespace disconnect rooms 1",
                                            "disconnect client namespace disconnect"});
        CHECK_FALSE(session->closed);
        session->receive("0");  // and may come back
        CHECK(fixture.main->take().size() == 2);
    }
    SUBCASE("the connection breaks") {
        session->finish(engineio::CloseReason::ping_timeout);
        CHECK(fixture.main->take() ==
              Lines{"disconnecting ping timeout rooms 1", "disconnect ping timeout"});
    }
    SUBCASE("the server ends it") {
        socket->disconnect(false);
        CHECK(fixture.main->take().empty());  // never from within the call
        fixture.reactor.settle();
        CHECK(session->take() == Lines{"1"});
        CHECK(fixture.main->take() == Lines{"disconnecting server namespace disconnect rooms 1",
                                            "disconnect server namespace disconnect"});
        CHECK_FALSE(session->closed);
    }
    SUBCASE("the server closes the connection") {
        session->receive("0/chat,");
        fixture.chat->take();
        session->take();
        socket->disconnect(true);
        fixture.reactor.settle();
        CHECK(session->take() == Lines{"1", "1/chat,"});
        CHECK(session->closed == engineio::CloseReason::forced_close);
        CHECK(fixture.main->take().size() == 2);
        CHECK(fixture.chat->take() == Lines{"disconnecting server namespace disconnect rooms 0",
                                            "disconnect server namespace disconnect"});
    }
    SUBCASE("the broker shuts down") {
        fixture.server.shut_down();
        session->finish(engineio::CloseReason::forced_close);
        CHECK(fixture.main->take().back() == "disconnect server shutting down");
    }
    CHECK(fixture.nsp("/").room_count() == 0);
}

TEST_CASE("a socket that has left sends and receives nothing") {
    Fixture fixture;
    const auto session = fixture.join();
    const SocketPtr socket = fixture.main->last;
    session->receive("1");
    socket->emit({"[\"e\"]"});
    socket->join("room");
    CHECK(session->take().empty());
    CHECK(socket->rooms().empty());
    CHECK(fixture.nsp("/").room_count() == 0);
}

TEST_CASE("volatile packets are dropped whole when the transport isn't writable") {
    Fixture fixture;
    const auto session = fixture.join();
    session->writable = false;
    const SharedBytes bytes = SharedBytes::copy("x");
    const SharedBytes list[] = {bytes};
    fixture.main->last->emit({R"(["e",{"_placeholder":true,"num":0}])", list},
                             {.is_volatile = true});
    CHECK(session->take().empty());
    fixture.main->last->emit({"[\"e\"]"});
    CHECK(session->take().size() == 1);
}

TEST_CASE("events in flight over the limit are answered busy") {
    ServerOptions options;
    options.max_events_in_flight = 2;
    Fixture fixture(options);
    const auto session = fixture.join();
    session->receive("21[\"keep\"]");
    session->receive("22[\"keep\"]");
    session->receive("23[\"echo\"]");
    session->receive("2[\"echo\"]");
    const auto sent = session->take();
    REQUIRE(sent.size() == 2);
    CHECK(sent[0].starts_with("33[{\"error\":{\"code\":\"busy\""));
    CHECK(sent[1].starts_with("2[\"error\",{\"code\":\"busy\""));
    CHECK(fixture.nsp("/").stats().overloaded == 2);
    fixture.main->kept.clear();
    session->receive("24[\"echo\"]");
    CHECK(session->take() == Lines{"34[\"echo\"]"});
}

TEST_CASE("a session that joins nothing in time is closed; one that does is not") {
    Fixture fixture;
    const auto silent = fixture.open();
    const auto joined = fixture.join();
    fixture.reactor.advance(45s);
    CHECK(silent->closed == engineio::CloseReason::forced_close);
    CHECK_FALSE(joined->closed);
    CHECK(fixture.reactor.pending_timers() == 0);
}

TEST_CASE("a connection may join only so many namespaces") {
    ServerOptions options;
    options.max_namespaces = 1;
    Fixture fixture(options);
    const auto session = fixture.join();
    session->receive("0/chat,");
    CHECK(session->take() == Lines{"4/chat,{\"message\":\"too many namespaces\"}"});
}

TEST_CASE("a server event reaches the handler after the call") {
    Fixture fixture;
    fixture.nsp("/").server_event("tick", {"[\"tick\",1]"});
    CHECK(fixture.main->take().empty());
    fixture.reactor.settle();
    CHECK(fixture.main->take() == Lines{"server tick [\"tick\",1]"});
}

TEST_CASE("a socket may be in only so many rooms") {
    ServerOptions options;
    options.nsp.rooms = 2;
    Fixture fixture(options);
    const auto session = fixture.join();
    const SocketPtr socket = fixture.main->last;
    CHECK(socket->join("a"));
    CHECK(socket->join("b"));
    CHECK(socket->join("a"));  // it is there already
    CHECK_FALSE(socket->join("c"));
    fixture.nsp("/").join({}, {"d"});
    CHECK(socket->rooms() == Lines{"a", "b"});
    socket->leave("a");
    CHECK(socket->join("c"));
}

TEST_CASE("only so many acknowledgements are awaited from a socket") {
    ServerOptions options;
    options.nsp.awaited_acks = 1;
    Fixture fixture(options);
    const auto session = fixture.join();
    std::vector<AckOutcome> outcomes;
    const auto note = [&](AckOutcome outcome, Payload) {
        outcomes.push_back(outcome);
        return true;
    };
    fixture.main->last->call({R"(["q"])", {}}, std::nullopt, note);
    fixture.main->last->call({R"(["q"])", {}}, std::nullopt, note);
    bool complete = true;
    fixture.nsp("/").broadcast_call({}, {R"(["q"])", {}}, 1s,
                                    [&](BroadcastReplies, bool all) { complete = all; });
    fixture.reactor.settle();
    CHECK(outcomes == std::vector{AckOutcome::overloaded});
    CHECK_FALSE(complete);
    session->receive("30[1]");
    fixture.reactor.settle();
    CHECK(outcomes.back() == AckOutcome::answered);
}
