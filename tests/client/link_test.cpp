#include "core/client/link.hpp"

#include <doctest/doctest.h>

#include "tests/client/fake_carrier.hpp"

using namespace moonwire;
using namespace moonwire::test;
using namespace std::chrono_literals;
using client::LinkOptions;
using client::LinkState;
using Lines = std::vector<std::string>;

namespace {

struct Fixture : client::LinkListener {
    explicit Fixture(LinkOptions options = {}, std::size_t ways = 1) {
        options.jitter = 0;
        std::vector<client::Connect> all;
        for (std::size_t i = 0; i < ways; ++i)
            all.push_back([this, i](std::shared_ptr<client::CarrierHandler> handler) {
                way = i;
                return server.connect()(std::move(handler));
            });
        link = std::make_shared<client::Link>(server.reactor, options, std::move(all), *this);
        link->start();
    }
    ~Fixture() {
        link->close();
        settle();
        for (const auto& each : server.connections) each->end("over");
        settle();
    }
    void on_state(LinkState state, const std::string& detail) override {
        told.push_back(std::string(name_of(state)) + (detail.empty() ? "" : ": ") + detail);
    }
    void on_event(std::string name, client::OutgoingEvent arguments,
                  std::function<void(client::OutgoingEvent)> acknowledge) override {
        told.push_back(name + " " + arguments.json);
        for (const std::string& each : arguments.attachments) told.back() += " " + each;
        if (acknowledge) asked = std::move(acknowledge);
    }
    void on_closed() override { closed = true; }

    FakeServer::Connection& last() { return server.last(); }
    Lines take() { return std::exchange(told, {}); }
    void settle() { server.reactor.settle(); }
    void advance(Duration time) {
        server.reactor.advance(time);
        settle();
    }
    void welcome() {
        last().welcome();
        settle();
    }
    bool emit(const std::string& name) {
        const bool queued = link->emit({"[\"" + name + "\"]", {}});
        settle();
        return queued;
    }
    void call(const std::string& name, Duration timeout = 5s) {
        link->call({"[\"" + name + "\"]", {}}, timeout, [this, name](client::LinkAnswer answer) {
            answers.push_back(name + " " +
                              (answer.error.empty() ? answer.values.json : answer.error));
        });
        settle();
    }
    /// What was sent on the last connection since its CONNECT.
    Lines sent() { return {last().sent.begin() + 1, last().sent.end()}; }
    std::size_t connections() const { return server.connections.size(); }

    FakeServer server;
    std::shared_ptr<client::Link> link;
    Lines told, answers;
    std::function<void(client::OutgoingEvent)> asked;
    std::size_t way = 0;
    bool closed = false;
};

}  // namespace

TEST_CASE("a link sends in order what was queued before it was connected, and what comes then") {
    Fixture f;
    CHECK(f.emit("a"));
    f.call("b");
    CHECK(f.emit("c"));
    CHECK(f.link->status().queued == 3);
    CHECK(f.link->status().state == LinkState::connecting);
    f.welcome();
    f.emit("d");
    CHECK(f.sent() == Lines{R"(42["a"])", R"(420["b"])", R"(42["c"])", R"(42["d"])"});
    CHECK(f.take() == Lines{"connected: S"});
    f.last().say(R"(430["yes",1])");
    CHECK(f.answers == Lines{R"(b ["yes",1])"});
    CHECK(f.link->status().sent == 4);
    CHECK(f.link->status().queued == 0);
}

TEST_CASE("a link hears events with bytes, and answers those that ask") {
    Fixture f;
    f.welcome();
    f.take();
    f.last().say(R"(42["plain",1])");
    f.last().say(R"(451-7["bytes",{"_placeholder":true,"num":0}])");
    f.last().attach("x");
    CHECK(f.take() == Lines{"plain [1]", R"(bytes [{"_placeholder":true,"num":0}] x)"});
    f.asked({R"([2])", {}});
    f.settle();
    CHECK(f.sent() == Lines{"437[2]"});
    CHECK(f.link->status().received == 2);
    SUBCASE("but not on another connection") {
        const auto late = f.asked;
        f.last().end("reset");
        f.advance(1s);
        f.welcome();
        late({"[3]", {}});
        f.settle();
        CHECK(f.sent() == Lines{});
    }
}

TEST_CASE("a link that is lost comes back after pauses that double up to a limit") {
    LinkOptions options;
    options.attempts = std::nullopt;
    options.delay_max = 5s;
    Fixture f(options);
    f.welcome();
    f.last().end("reset");
    f.settle();
    CHECK(f.take() == Lines{"connected: S", "disconnected: reset"});
    std::size_t connections = 1;
    for (const auto pause : {1s, 2s, 4s, 5s, 5s}) {
        f.advance(pause - 1ms);
        CHECK(f.connections() == connections);
        f.advance(1ms);
        CHECK(f.connections() == ++connections);
        f.last().end("no route");
        f.settle();
    }
    CHECK(f.take() == Lines{});  // it is still disconnected
    CHECK(f.link->status().attempts == 5);
    CHECK(f.link->status().last_error == "no route");
    f.advance(5s);
    f.welcome();
    CHECK(f.take() == Lines{"connected: S"});
    CHECK(f.link->status().attempts == 0);
    CHECK(f.link->status().reconnections == 1);
}

TEST_CASE("a link's pauses vary by the jitter, and never exceed the limit") {
    LinkOptions options;
    options.attempts = std::nullopt;
    options.delay_max = 1s;
    Fixture f(options);
    for (int i = 0; i < 50; ++i) {
        f.last().end("no");
        f.advance(1s);
        CHECK(f.connections() == static_cast<std::size_t>(i) + 2);
    }
}

TEST_CASE("a link gives up after the limit of attempts, until it is told to reconnect") {
    LinkOptions options;
    options.attempts = 2;
    Fixture f(options);
    for (const auto pause : {1s, 2s}) {
        f.last().end("no");
        f.advance(pause);
    }
    CHECK(f.take() == Lines{"disconnected: no"});
    f.last().end("never");
    f.settle();
    CHECK(f.take() == Lines{"gave_up: never"});
    f.advance(100s);
    CHECK(f.connections() == 3);
    CHECK(f.link->status().attempts == 2);
    CHECK(f.emit("kept"));
    f.link->reconnect();
    f.settle();
    CHECK(f.connections() == 4);
    f.welcome();
    CHECK(f.sent() == Lines{R"(42["kept"])"});
    CHECK(f.take() == Lines{"connecting: asked to", "connected: S"});
}

TEST_CASE("a link that is refused or put out stays away until it is told to reconnect") {
    Fixture f;
    f.last().say(R"(0{"sid":"E","pingInterval":1000,"pingTimeout":500})");
    f.last().say(R"(44{"message":"no","data":{"why":1}})");
    f.advance(100s);
    CHECK(f.take() == Lines{R"(refused: no {"why":1})"});
    f.link->reconnect();
    f.settle();
    f.welcome();
    f.last().say("41");
    f.advance(100s);
    CHECK(f.take() == Lines{"connecting: asked to", "connected: S",
                            "disconnected: the server disconnected this client"});
    CHECK(f.connections() == 2);
    CHECK(f.link->status().attempts == 0);
}

TEST_CASE("told to reconnect while it is connected, a link leaves first") {
    Fixture f;
    f.welcome();
    f.take();
    f.link->reconnect();
    CHECK(f.last().sent.back() == "41");
    f.settle();
    CHECK(f.connections() == 2);
    f.welcome();
    CHECK(f.take() == Lines{"connecting: asked to", "connected: S"});
}

TEST_CASE("a link tries every way, without a pause, each time from the first on") {
    LinkOptions options;
    options.attempts = 1;
    Fixture f(options, 2);
    f.last().end("no WebSocket here");
    f.settle();
    CHECK(f.connections() == 2);
    CHECK(f.way == 1);
    CHECK(f.take() == Lines{});
    f.welcome();
    f.last().end("reset");
    f.advance(1s);
    CHECK(f.connections() == 3);
    CHECK(f.way == 0);
    f.last().end("no");
    f.settle();
    CHECK(f.way == 1);
    CHECK(f.connections() == 4);
    f.last().end("no");
    f.advance(100s);
    CHECK(f.connections() == 4);  // the two were one attempt
    CHECK(f.link->status().state == LinkState::gave_up);
}

TEST_CASE("a call ends by its time, and is not sent if it was still queued") {
    Fixture f;
    f.call("queued", 2s);
    f.advance(2s);
    CHECK(f.answers == Lines{"queued timeout"});
    CHECK(f.link->status().queued == 0);
    f.welcome();
    CHECK(f.sent() == Lines{});
    f.call("sent", 2s);
    for (int i = 0; i < 2; ++i) {
        f.advance(1s);
        f.last().say("2");
    }
    f.answers.clear();
    f.last().say(R"(430["too late"])");
    f.last().say(R"(439["never asked"])");
    CHECK(f.answers == Lines{});
    CHECK(f.link->status().failed == 2);
}

TEST_CASE("a call ends with the connection that it was sent on; a queued one goes on") {
    Fixture f;
    f.welcome();
    f.call("sent");
    f.last().end("reset");
    f.call("queued");
    CHECK(f.answers == Lines{"sent disconnected"});
    f.advance(1s);
    f.welcome();
    CHECK(f.sent() == Lines{R"(421["queued"])"});
    f.last().say(R"(431[])");
    CHECK(f.answers.back() == "queued []");
}

TEST_CASE("the limit of a link's queue is told to whoever emits or calls") {
    LinkOptions options;
    options.queue.events = 1;
    SUBCASE("by refusing") {
        Fixture f(options);
        CHECK(f.emit("a"));
        CHECK_FALSE(f.emit("b"));
        f.call("c");
        CHECK(f.answers == Lines{"c queue full"});
        CHECK(f.link->status().dropped == 2);
    }
    SUBCASE("by dropping the oldest") {
        options.queue.drop_oldest = true;
        Fixture f(options);
        f.call("a");
        CHECK(f.emit("b"));
        f.settle();
        CHECK(f.answers == Lines{"a queue full"});
        CHECK(f.link->status().dropped == 1);
        CHECK(f.link->status().queued == 1);
    }
}

TEST_CASE("the limit of ten thousand unanswered calls refuses more") {
    Fixture f;
    f.welcome();
    for (int i = 0; i < 10'000; ++i) f.link->call({R"(["x"])", {}}, 5s, [](client::LinkAnswer) {});
    f.settle();
    f.call("one more");
    CHECK(f.answers == Lines{"one more too many calls"});
    f.last().say("430[]");
    f.call("another");
    f.last().say("4310000[]");
    CHECK(f.answers.back() == "another []");
}

TEST_CASE("a link gives a connection no more than a window of what has not left yet") {
    Fixture f;
    f.last().full = true;
    f.welcome();
    const std::string large = "[\"" + std::string(100'000, 'x') + "\"]";
    for (int i = 0; i < 10; ++i) f.link->emit({large, {}});
    f.settle();
    CHECK(f.sent().size() == 3);
    CHECK(f.link->status().queued == 7);
    f.last().drain();
    CHECK(f.sent().size() == 6);
    f.last().full = false;
    f.last().drain();
    CHECK(f.sent().size() == 10);
}

TEST_CASE("a link that is closed sends what is queued, gives the server time, and leaves") {
    Fixture f;
    f.welcome();
    f.last().full = true;
    f.link->emit({"[\"" + std::string(300'000, 'x') + "\"]", {}});
    f.link->emit({R"(["b"])", {}});
    f.link->close();
    f.settle();
    CHECK(f.sent().size() == 1);
    CHECK_FALSE(f.last().settling);
    f.last().drain();
    CHECK(f.sent().back() == R"(42["b"])");
    CHECK(f.last().settling);
    f.last().settled();
    CHECK(f.sent().back() == "41");
    f.settle();
    CHECK(f.closed);
    CHECK(f.take() == Lines{"connected: S", "closed"});
}

TEST_CASE("a link that is closed does not wait for a server that takes nothing") {
    Fixture f;
    f.welcome();
    f.last().full = true;
    f.link->emit({"[\"" + std::string(300'000, 'x') + "\"]", {}});
    f.link->emit({R"(["lost"])", {}});
    f.link->close();
    f.call("late");
    f.advance(2s);
    CHECK(f.closed);
    CHECK(f.take() == Lines{"connected: S", "closed: 2 events were not sent"});
    CHECK(f.answers == Lines{"late closed"});
}

TEST_CASE("a link that is closed between two attempts ends at once") {
    Fixture f;
    f.last().end("no");
    f.settle();
    f.call("waiting");
    f.link->close();
    f.settle();
    CHECK(f.closed);
    CHECK(f.answers == Lines{"waiting closed"});
    f.call("after");
    CHECK(f.answers.back() == "after closed");
    f.link->reconnect();
    f.advance(100s);
    CHECK(f.connections() == 1);
}

TEST_CASE("a link's uptime is that of this connection, and a part of the time since the first") {
    Fixture f;
    f.advance(7s);
    CHECK(f.link->status().uptime_percent == 0);
    f.welcome();
    f.advance(1s);
    CHECK(f.link->status().uptime_seconds == doctest::Approx(1));
    CHECK(f.link->status().uptime_percent == doctest::Approx(100));
    f.last().end("reset");
    f.advance(1s);
    CHECK(f.link->status().uptime_seconds == 0);
    CHECK(f.link->status().uptime_percent == doctest::Approx(50));
    f.welcome();
    f.advance(1s);
    CHECK(f.link->status().uptime_seconds == doctest::Approx(1));
    CHECK(f.link->status().uptime_percent == doctest::Approx(200.0 / 3));
}
