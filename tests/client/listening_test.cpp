#include "core/client/listening.hpp"

#include <doctest/doctest.h>

#include "tests/client/fake_carrier.hpp"

using namespace moonwire;
using namespace moonwire::test;
using namespace std::chrono_literals;
using client::Listening;
using client::Outcome;

namespace {

struct Fixture {
    explicit Fixture(Listening::Options options = {})
        : listening(server.reactor, std::move(options),
                    {[this](std::string line) {
                         lines.push_back(std::move(line));
                         return !unread;
                     },
                     [this](std::string line) { notes.push_back(std::move(line)); }},
                    [this](Outcome o) { outcome = std::move(o); }) {
        listening.start(server.connect());
    }
    std::optional<Outcome>& ended() {
        server.reactor.settle();
        return outcome;
    }
    FakeServer server;
    std::vector<std::string> lines, notes;
    bool unread = false;
    std::optional<Outcome> outcome;
    Listening listening;
};

}  // namespace

TEST_CASE("an event is a line, whatever its name") {
    CHECK(client::event_line("a", "[1]", false) == "a [1]");
    CHECK(client::event_line("two words", "[]", false) == "\"two words\" []");
    CHECK(client::event_line("", "[]", false) == "\"\" []");
    CHECK(client::event_line("a\nb", "[]", false) == "\"a\\nb\" []");
    CHECK(client::event_line("a\"", "[1]", true) == R"({"event":"a\"","args":[1]})");
}

TEST_CASE("the events asked for are told, as many as asked for") {
    Listening::Options options;
    options.events = {"a", "b"};
    options.count = 2;
    Fixture f(options);
    f.server.last().welcome();
    for (const char* event : {"42[\"a\",1]", "42[\"c\"]", "42[\"b\"]", "42[\"a\"]"})
        f.server.last().say(event);
    REQUIRE(f.ended());
    CHECK(f.outcome->ok);
    CHECK(f.lines == std::vector<std::string>{"a [1]", "b []"});
    CHECK(f.notes == std::vector<std::string>{"connected to / as S"});
}

TEST_CASE("a lost connection comes back with growing pauses") {
    Fixture f;
    f.server.last().welcome();
    f.server.last().end("reset");
    CHECK(f.notes.back() == "connection lost: reset; trying again in 1 s");
    f.server.reactor.advance(900ms);
    CHECK(f.server.connections.size() == 1);
    f.server.reactor.advance(100ms);
    REQUIRE(f.server.connections.size() == 2);
    f.server.last().end("refused");
    CHECK(f.notes.back() == "cannot connect to : refused; trying again in 2 s");
    f.server.reactor.advance(2s);
    REQUIRE(f.server.connections.size() == 3);
    f.server.last().welcome();
    f.server.last().say("42[\"back\"]");
    CHECK(f.lines == std::vector<std::string>{"back []"});
    f.server.last().end("reset");
    CHECK(f.notes.back() == "connection lost: reset; trying again in 1 s");
    f.listening.interrupt();
    REQUIRE(f.ended());
    CHECK(f.outcome->ok);
    CHECK(Listening::pause_before(4) == 16s);
    CHECK(Listening::pause_before(5) == 30s);
    CHECK(Listening::pause_before(1000) == 30s);
}

TEST_CASE("what will not change ends it") {
    Fixture first;
    first.server.last().end("refused");
    REQUIRE(first.ended());
    CHECK(first.outcome->error == "cannot connect to : refused");

    Fixture put_out;
    put_out.server.last().welcome();
    put_out.server.last().say("41");
    REQUIRE(put_out.ended());
    CHECK(put_out.outcome->error == "the server disconnected this client");

    Listening::Options options;
    options.reconnect = false;
    Fixture once(options);
    once.server.last().welcome();
    once.server.last().end("reset");
    REQUIRE(once.ended());
    CHECK(once.outcome->error == "connection lost: reset");

    Fixture piped;
    piped.unread = true;
    piped.server.last().welcome();
    piped.server.last().say("42[\"a\"]");
    piped.server.last().say("42[\"a\"]");
    REQUIRE(piped.ended());
    CHECK_FALSE(piped.outcome->ok);
    CHECK(piped.lines.size() == 1);
}

TEST_CASE("time that is over is a success unless events were to come") {
    Listening::Options options;
    options.timeout = 1s;
    Fixture f(options);
    f.server.last().welcome();
    f.server.reactor.advance(1s);
    REQUIRE(f.ended());
    CHECK(f.outcome->ok);

    options.count = 2;
    Fixture more(options);
    more.server.last().welcome();
    more.server.last().say("42[\"a\"]");
    more.server.reactor.advance(1s);
    REQUIRE(more.ended());
    CHECK(more.outcome->error == "timed out after 1 of 2 events");

    Fixture never(options);
    never.server.reactor.advance(1s);
    REQUIRE(never.ended());
    CHECK(never.outcome->error == "cannot connect to : timed out");
}
