#include "core/client/emission.hpp"

#include <doctest/doctest.h>

#include "tests/client/fake_carrier.hpp"

using namespace moonwire;
using namespace moonwire::test;
using namespace std::chrono_literals;
using client::Outcome;

namespace {

struct Fixture {
    explicit Fixture(bool acknowledge) : emission(server.reactor, options(acknowledge), [this](Outcome o) {
                                             outcome = std::move(o);
                                         }) {
        emission.start(server.connect());
    }
    static client::Emission::Options options(bool acknowledge) {
        client::Emission::Options made;
        made.server = "http://s";
        made.event.json = "[\"e\",1]";
        made.acknowledge = acknowledge;
        made.timeout = 5s;
        return made;
    }
    std::optional<Outcome>& ended() {
        server.reactor.settle();
        return outcome;
    }
    FakeServer server;
    std::optional<Outcome> outcome;
    client::Emission emission;
};

}  // namespace

TEST_CASE("an event is sent, and that is all there is to it") {
    Fixture f(false);
    f.server.last().welcome();
    CHECK(f.server.last().sent == std::vector<std::string>{"40", "42[\"e\",1]"});
    CHECK(f.server.last().settling);
    CHECK_FALSE(f.ended());  // the Node server drops what comes together with the goodbye
    f.server.last().settled();
    CHECK(f.server.last().sent.back() == "41");
    REQUIRE(f.ended());
    CHECK(f.outcome->ok);
    CHECK(f.outcome->output.empty());
}

TEST_CASE("the acknowledgement is the output, and a failed handler's a failure") {
    Fixture good(true);
    good.server.last().welcome();
    good.server.last().say("430[1,{}]");
    REQUIRE(good.ended());
    CHECK(good.outcome->ok);
    CHECK(good.outcome->output == "[1,{}]");

    Fixture bad(true);
    bad.server.last().welcome();
    bad.server.last().say(R"(430[{"error":{"code":"full","message":"no"}}])");
    REQUIRE(bad.ended());
    CHECK_FALSE(bad.outcome->ok);
    CHECK(bad.outcome->output == R"([{"error":{"code":"full","message":"no"}}])");
}

TEST_CASE("an acknowledgement that does not come is a failure, told by where it got to") {
    Fixture silent(true);
    silent.server.last().welcome();
    silent.server.last().say("2");
    silent.server.reactor.advance(1s);
    silent.server.last().say("2");
    for (int i = 0; i < 4; ++i) {
        silent.server.reactor.advance(1s);
        silent.server.last().say("2");
    }
    REQUIRE(silent.ended());
    CHECK(silent.outcome->error == "no acknowledgement within 5 s");

    Fixture nobody(true);
    nobody.server.reactor.advance(6s);
    REQUIRE(nobody.ended());
    CHECK(nobody.outcome->error == "cannot connect to http://s: timed out");

    Fixture lost(true);
    lost.server.last().welcome();
    lost.server.last().end("reset");
    REQUIRE(lost.ended());
    CHECK_FALSE(lost.outcome->ok);
    CHECK(lost.outcome->error == "connection lost: reset");

    Fixture interrupted(true);
    interrupted.server.last().welcome();
    interrupted.emission.interrupt();
    REQUIRE(interrupted.ended());
    CHECK(interrupted.outcome->error == "interrupted");
}
