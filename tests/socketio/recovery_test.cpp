#include "core/socketio/recovery.hpp"

#include <algorithm>
#include <chrono>

#include "tests/socketio/fixture.hpp"

using namespace moonwire;
using namespace moonwire::socketio;
using namespace std::chrono_literals;

namespace {

ServerOptions with_recovery() {
    ServerOptions options;
    options.nsp.recovery.enabled = true;
    options.nsp.recovery.max_disconnection = 60s;
    options.nsp.recovery.detection = 10s;
    return options;
}

/// The value of a member of a flat JSON object in `text`.
std::string member(const std::string& text, const std::string& name) {
    const auto at = text.find("\"" + name + "\":\"");
    if (at == std::string::npos) return {};
    const auto from = at + name.size() + 4;
    return text.substr(from, text.find('"', from) - from);
}

/// The trailing offset of an EVENT, and the event without it.
std::pair<std::string, std::string> split_offset(const std::string& event) {
    const auto at = event.rfind(",\"");
    return {event.substr(0, at) + "]", event.substr(at + 2, event.size() - at - 4)};
}

/// A client that remembers what an official one does.
struct Visitor {
    explicit Visitor(Fixture& fixture) : fixture(fixture) { connect(); }

    void connect() {
        session = fixture.open();
        std::string auth;
        if (!pid.empty()) {
            auth = "{\"pid\":\"" + pid + '"';
            if (!offset.empty()) auth += ",\"offset\":\"" + offset + '"';
            auth += '}';
        }
        session->receive("0" + auth);
        fixture.reactor.settle();
        collect();
    }
    void cut() {
        session->finish(engineio::CloseReason::transport_close);
        fixture.reactor.settle();
    }
    void collect() {
        for (const std::string& line : session->take()) {
            if (line[0] == '0') {
                recovered = !pid.empty() && member(line, "pid") == pid;
                pid = member(line, "pid");
                sid = member(line, "sid");
            } else if (line[0] == '2') {
                const auto [event, at] = split_offset(line);
                events.push_back(event);
                offset = at;
            } else {
                others.push_back(line);
            }
        }
    }

    Fixture& fixture;
    std::shared_ptr<FakeSession> session;
    std::string pid, sid, offset;
    bool recovered = false;
    Lines events, others;
};

void say(Fixture& fixture, const std::string& json, Target target = {}) {
    fixture.nsp("/").broadcast(std::move(target), {json, {}}, {});
}

}  // namespace

TEST_CASE("a client that returns in time gets what it missed, its rooms and its id") {
    Fixture fixture(with_recovery());
    Visitor client(fixture), other(fixture);
    const std::string sid = client.sid;
    fixture.nsp("/").find(sid)->join("room");
    say(fixture, R"(["a"])");
    client.collect();
    client.cut();
    CHECK(fixture.nsp("/").away_count() == 1);
    say(fixture, R"(["b",{"n":1}])");
    say(fixture, R"(["c"])", {{"room"}, {}});
    say(fixture, R"(["not mine"])", {{"elsewhere"}, {}});
    say(fixture, R"(["nor this"])", {{}, {"room"}});
    say(fixture, R"(["d"])", {{sid}, {}});
    fixture.main->take();
    client.connect();
    CHECK(client.recovered);
    CHECK(client.sid == sid);
    CHECK(client.events == Lines{R"(2["a"])", R"(2["b",{"n":1}])", R"(2["c"])", R"(2["d"])"});
    CHECK(fixture.main->last->recovered());
    CHECK(fixture.main->last->rooms() == Lines{"room"});
    const auto notes = fixture.main->take();
    REQUIRE(notes.size() == 2);  // no middleware
    CHECK(notes[0].starts_with("resume {\"pid\""));
    CHECK(notes[1] == "connect");
    say(fixture, R"(["e"])", {{"room"}, {}});
    client.collect();
    CHECK(client.events.back() == R"(2["e"])");
    CHECK(fixture.nsp("/").away_count() == 0);
}

TEST_CASE("missed events come before the answer to CONNECT") {
    Fixture fixture(with_recovery());
    Visitor client(fixture);
    client.cut();
    say(fixture, R"(["a"])");
    const auto session = fixture.open();
    session->receive("0{\"pid\":\"" + client.pid + "\"}");
    const auto sent = session->take();
    REQUIRE(sent.size() == 2);
    CHECK(sent[0].starts_with(R"(2["a",)"));
    CHECK(sent[1].starts_with("0{"));
}

TEST_CASE("a client that never received an event recovers, and so does one long idle") {
    Fixture fixture(with_recovery());
    Visitor silent(fixture), idle(fixture);
    say(fixture, R"(["a"])", {{idle.sid}, {}});
    idle.collect();
    fixture.reactor.advance(1h);
    say(fixture, R"(["to others"])", {{"room"}, {}});
    fixture.reactor.advance(1h);
    silent.cut();
    idle.cut();
    say(fixture, R"(["b"])");
    silent.connect();
    idle.connect();
    CHECK(silent.recovered);
    CHECK(silent.events == Lines{R"(2["b"])"});
    CHECK(idle.recovered);
    CHECK(idle.events == Lines{R"(2["a"])", R"(2["b"])"});
}

TEST_CASE("what was in flight when the connection died is sent again, and nothing twice") {
    Fixture fixture(with_recovery());
    Visitor client(fixture);
    say(fixture, R"(["a"])");
    client.collect();
    say(fixture, R"(["b"])");
    client.session->take();  // lost on the way
    client.cut();
    client.connect();
    CHECK(client.events == Lines{R"(2["a"])", R"(2["b"])"});
    client.cut();
    client.connect();
    CHECK(client.events.size() == 2);
}

TEST_CASE("a room's events count from the moment of joining to that of leaving") {
    Fixture fixture(with_recovery());
    Visitor client(fixture);
    const SocketPtr socket = fixture.main->last;
    say(fixture, R"(["before"])", {{"room"}, {}});
    socket->join("room");
    say(fixture, R"(["in"])", {{"room"}, {}});
    socket->leave("room");
    say(fixture, R"(["after"])", {{"room"}, {}});
    client.session->take();
    client.cut();
    client.connect();
    CHECK(client.events == Lines{R"(2["in"])"});
}

TEST_CASE("a client that returns before its old connection is known to be dead takes over") {
    Fixture fixture(with_recovery());
    Visitor client(fixture);
    const auto old = client.session;
    say(fixture, R"(["a"])");
    old->take();
    client.connect();
    CHECK(client.recovered);
    CHECK(client.events == Lines{R"(2["a"])"});
    CHECK(old->closed == engineio::CloseReason::transport_error);
    CHECK(fixture.nsp("/").socket_count() == 1);
}

TEST_CASE("a client that stays away too long starts anew, and the handler is told") {
    Fixture fixture(with_recovery());
    Visitor client(fixture);
    const std::string sid = client.sid;
    client.cut();
    fixture.reactor.advance(62s);
    CHECK(fixture.main->take().back() == "expired " + sid);
    CHECK(fixture.nsp("/").away_count() == 0);
    client.connect();
    CHECK_FALSE(client.recovered);
    CHECK(client.sid != sid);
    // What it remembers of its former session does not bring that back.
    say(fixture, R"(["old"])");
    client.cut();
    client.connect();
    CHECK(client.recovered);
    CHECK(client.events == Lines{R"(2["old"])"});
}

TEST_CASE("who leaves on purpose, is sent away or breaks the protocol does not come back") {
    for (const std::string how : {"client", "server", "garbage"}) {
        Fixture fixture(with_recovery());
        Visitor client(fixture);
        if (how == "client") client.session->receive("1");
        if (how == "server") fixture.main->last->disconnect(false);
        if (how == "garbage") client.session->receive("9");
        fixture.reactor.settle();
        CHECK(fixture.nsp("/").away_count() == 0);
        client.connect();
        CHECK_FALSE(client.recovered);
    }
}

TEST_CASE("acknowledgements across a disconnection are answered once, in both directions") {
    Fixture fixture(with_recovery());
    Visitor client(fixture);
    // Asked by the client, answered while it is away.
    client.session->receive("27[\"keep\"]");
    Lines outcomes;
    fixture.main->last->call({R"(["question"])", {}}, std::nullopt,
                             [&](AckOutcome outcome, Payload payload) {
                                 outcomes.push_back(std::to_string(int(outcome)) +
                                                    std::string(payload.json));
                                 return true;
                             });
    fixture.reactor.settle();
    const std::string question = client.session->take().back();
    client.cut();
    fixture.main->kept.front().reply({R"(["late"])", {}});
    fixture.main->kept.front().reply({R"(["twice"])", {}});
    CHECK(outcomes.empty());
    client.connect();
    CHECK(client.others == Lines{R"(37["late"])"});
    client.session->receive("3" + question.substr(1, question.find('[') - 1) + "[42]");
    fixture.reactor.settle();
    CHECK(outcomes == Lines{"0[42]"});
    // Asked before, answered after the return.
    client.session->receive("28[\"keep\"]");
    client.cut();
    client.connect();
    fixture.main->kept.back().reply({R"(["later"])", {}});
    client.collect();
    CHECK(client.others == Lines{R"(37["late"])", R"(38["later"])"});
}

TEST_CASE("a call whose client does not return ends as disconnected, one with a timeout in time") {
    Fixture fixture(with_recovery());
    Visitor client(fixture);
    std::vector<AckOutcome> outcomes;
    const auto note = [&](AckOutcome outcome, Payload) {
        outcomes.push_back(outcome);
        return true;
    };
    fixture.main->last->call({R"(["q"])", {}}, std::nullopt, note);
    fixture.main->last->call({R"(["q"])", {}}, 5s, note);
    client.cut();
    client.connect();  // the time goes on where it was
    fixture.reactor.advance(6s);
    CHECK(outcomes == std::vector{AckOutcome::timeout});
    client.cut();
    fixture.reactor.advance(62s);
    CHECK(outcomes == std::vector{AckOutcome::timeout, AckOutcome::disconnected});
}

TEST_CASE("volatile events are not sent again, and do not disturb what the client remembers") {
    Fixture fixture(with_recovery());
    Visitor client(fixture);
    say(fixture, R"(["a"])");
    client.collect();
    const std::string offset = client.offset;
    fixture.nsp("/").broadcast({}, {R"(["v","text"])", {}}, {.is_volatile = true});
    const std::string sent = client.session->take().back();
    CHECK(split_offset(sent).second == offset);
    fixture.nsp("/").broadcast({}, {R"(["v",1])", {}}, {.is_volatile = true});
    CHECK(client.session->take().back() == R"(2["v",1])");
    client.cut();
    client.connect();
    CHECK(client.events == Lines{R"(2["a"])"});
}

TEST_CASE("the log is bounded: who needs what was dropped starts anew") {
    ServerOptions options = with_recovery();
    options.nsp.recovery.log_bytes = 10'000;
    Fixture fixture(options);
    Visitor late(fixture), well(fixture);
    late.cut();
    const std::string big = "[\"big\",\"" + std::string(3000, 'x') + "\"]";
    for (int i = 0; i < 4; ++i) say(fixture, big);
    CHECK(fixture.nsp("/").recovery_bytes() <= 10'000);
    well.collect();
    well.cut();
    well.connect();
    CHECK(well.recovered);
    CHECK(well.events.size() == 4);
    late.connect();
    CHECK_FALSE(late.recovered);
    CHECK(late.events.empty());
}

TEST_CASE("the sockets that are away are bounded: the one gone longest expires") {
    ServerOptions options = with_recovery();
    options.nsp.recovery.max_sessions = 1;
    Fixture fixture(options);
    Visitor first(fixture), second(fixture);
    first.cut();
    second.cut();
    CHECK(fixture.nsp("/").away_count() == 1);
    first.connect();
    second.connect();
    CHECK_FALSE(first.recovered);
    CHECK(second.recovered);
}

TEST_CASE("a client that comes and goes without end does not grow the queue of those away") {
    ServerOptions options = with_recovery();
    options.nsp.recovery.max_sessions = 3;
    Fixture fixture(options);
    Visitor away(fixture), restless(fixture);
    away.cut();
    for (int i = 0; i < 100; ++i) {
        restless.cut();
        CHECK(fixture.nsp("/").away_queue() <= 6);
        fixture.reactor.advance(1ms);
        restless.connect();
        CHECK(restless.recovered);
    }
    away.connect();
    CHECK(away.recovered);
}

TEST_CASE("memory returns to nothing once everybody is gone") {
    Fixture fixture(with_recovery());
    Visitor client(fixture);
    say(fixture, R"(["a"])");
    client.cut();
    fixture.reactor.advance(2min);
    CHECK(fixture.nsp("/").recovery_bytes() == 0);
    CHECK(fixture.nsp("/").away_count() == 0);
    CHECK(fixture.reactor.pending_timers() == 0);
}

TEST_CASE("middleware runs for recovered clients where it is asked for") {
    ServerOptions options = with_recovery();
    options.nsp.recovery.skip_middlewares = false;
    Fixture fixture(options);
    Visitor client(fixture);
    const std::string sid = client.sid;
    client.cut();
    say(fixture, R"(["a"])");
    fixture.main->hold = true;
    client.connect();
    say(fixture, R"(["b"])");  // while it waits at the door
    client.cut();
    client.connect();
    REQUIRE(fixture.main->pending.size() == 2);
    fixture.main->pending[0]({});
    fixture.main->pending[1]({});
    fixture.reactor.settle();
    client.collect();
    CHECK(client.recovered);
    CHECK(client.events == Lines{R"(2["a"])", R"(2["b"])"});

    client.cut();
    fixture.main->hold = false;
    fixture.main->refusal = Refusal{"no", ""};
    fixture.main->take();
    client.connect();
    CHECK(client.others == Lines{R"(4{"message":"no"})"});
    CHECK(fixture.main->take().back() == "expired " + sid);
}

TEST_CASE("a legacy client is not kept, for it can't come back") {
    Fixture fixture(with_recovery());
    const auto session = fixture.open(3);
    CHECK(session->take() == Lines{"0"});
    session->finish(engineio::CloseReason::transport_close);
    fixture.reactor.settle();
    CHECK(fixture.nsp("/").away_count() == 0);
    CHECK(fixture.main->take().back() == "disconnect transport close");
}

TEST_CASE("a namespace that closes lets go of who is away or at the door") {
    ServerOptions options = with_recovery();
    options.nsp.recovery.skip_middlewares = false;
    Fixture fixture(options);
    Visitor away(fixture), waiting(fixture);
    const std::weak_ptr<Socket> last = fixture.main->last;
    away.cut();
    waiting.cut();
    fixture.main->hold = true;
    waiting.connect();
    fixture.main->take();
    fixture.server.remove("/");
    fixture.reactor.settle();
    const auto notes = fixture.main->take();
    CHECK(std::count(notes.begin(), notes.end(), "expired " + away.sid) == 1);
    CHECK(std::count(notes.begin(), notes.end(), "expired " + waiting.sid) == 1);
    waiting.collect();
    CHECK(waiting.others == Lines{R"(4{"message":"Invalid namespace"})"});
    fixture.main->let_go();
    CHECK(last.expired());
}

TEST_CASE("claims that make no sense are no claims") {
    CHECK_FALSE(recovery_claim("{}"));
    CHECK_FALSE(recovery_claim(R"({"pid":1})"));
    CHECK_FALSE(recovery_claim(R"({"a":{"pid":"x"}})"));
    CHECK_FALSE(recovery_claim(R"({"pid":"x")"));
    CHECK(recovery_claim(R"({"pid":"x","offset":"12"})")->offset == 12u);
    CHECK_FALSE(recovery_claim(R"({"pid":"x","offset":"12z"})")->offset);
    Fixture fixture(with_recovery());
    const auto session = fixture.open();
    session->receive(R"(0{"pid":"nobody's","offset":"1"})");
    CHECK(session->take().front().find("\"pid\":\"nobody's\"") == std::string::npos);
}

TEST_CASE("a member of a family stays while a client may come back") {
    Fixture fixture(with_recovery());
    auto family = fixture.make_handler();
    REQUIRE(fixture.server.add("/tenant/:name", fixture.reactor, family));
    const auto session = fixture.join("/tenant/a");
    session->finish(engineio::CloseReason::transport_close);
    fixture.reactor.settle();
    family->let_go();
    CHECK(fixture.server.find("/tenant/a"));
    fixture.reactor.advance(62s);
    CHECK_FALSE(fixture.server.find("/tenant/a"));
}
