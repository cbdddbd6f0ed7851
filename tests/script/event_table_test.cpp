#include "core/script/event_table.hpp"

#include <doctest/doctest.h>

#include <chrono>
#include <thread>

#include "tests/script/host_fixture.hpp"
#include "tests/script/log_capture.hpp"

using namespace moonwire;
using namespace moonwire::script;

namespace {

/// "event: received, failed, handlers that ran" of the namespace.
Lines events_of(const ScriptTest& test, const std::string& nsp = "/t") {
    Lines lines;
    for (const auto& [name, events] : test.host->events())
        for (const EventReport& each : events)
            if (name == nsp)
                lines.push_back(each.event + ": " + std::to_string(each.received) + ", " +
                                std::to_string(each.failed) + ", " +
                                std::to_string(each.ran.count()));
    return lines;
}

}  // namespace

TEST_CASE("events that a handler is registered for have figures, others are other") {
    LogCapture log;
    ScriptTest test;
    test.load(R"(
local ns, schema = namespace '/t', require 'schema'
ns:on('good', function() sleep(1) return 1 end)
ns:on('picky', schema.string(), function() end)
ns:on('refuses', function() fail('no', 'no') end)
ns:on('buggy', function() error('bug') end)
ns:relay('passed')
ns:relay('guarded', { role = 'driver' })
)");
    const auto client = test.join();
    for (const char* each :
         {R"(["good"])", R"(["picky",1])", R"(["picky","x"])", R"(["refuses"])", R"(["buggy"])",
          R"(["passed"])", R"(["guarded"])", R"(["x"])", R"(["y"])"})
        test.send(client, each);
    test.advance(2);
    CHECK(events_of(test) == Lines{"buggy: 1, 1, 1", "good: 1, 0, 1", "guarded: 1, 1, 0",
                                   "passed: 1, 0, 0", "picky: 2, 1, 1", "refuses: 1, 1, 1",
                                   "other: 2, 0, 0"});
}

TEST_CASE("a handler's own time and its answer's are told apart") {
    ScriptTest test;
    test.load(
        "local ns = namespace '/t'\n"
        "ns:on('slow', function() local till = os.clock() + 0.02 "
        "while os.clock() < till do end sleep(1) end)");
    test.send(test.join(), R"(["slow"])");
    std::this_thread::sleep_for(std::chrono::milliseconds(30));  // the wait, by the real clock
    test.advance(2);
    const auto events = test.host->events().front().second;
    REQUIRE(events.front().event == "slow");
    // Half of it, for the clocks are not the same.
    CHECK(events.front().ran.seconds >= 0.01);
    CHECK(events.front().answered.seconds >= events.front().ran.seconds + 0.015);
}

TEST_CASE("only so many events have figures of their own") {
    ScriptTest test;
    test.options.figures.events = 2;
    test.load(
        "local ns = namespace '/t'\n"
        "for _, name in ipairs { 'd', 'c', 'b', 'a' } do ns:on(name, function() end) end");
    const auto client = test.join();
    for (const char* each : {R"(["a"])", R"(["b"])", R"(["c"])", R"(["d"])"})
        test.send(client, each);
    CHECK(events_of(test) == Lines{"a: 1, 0, 1", "b: 1, 0, 1", "other: 2, 0, 2"});
}

TEST_CASE("figures of events outlive a reload, and a handler that is gone") {
    ScriptTest test;
    test.load("local ns = namespace '/t'\nns:on('a', function() end)");
    const auto client = test.join();
    test.send(client, R"(["a"])");
    test.reload("local ns = namespace '/t'\nns:on('b', function() end)");
    test.send(client, R"(["a"])");
    test.send(client, R"(["b"])");
    CHECK(events_of(test) == Lines{"a: 1, 0, 1", "b: 1, 0, 1", "other: 1, 0, 0"});
}

TEST_CASE("an event named other is among the others") {
    EventTable table(10);
    CHECK(&table.of("other") == &table.other());
    CHECK(&table.of("x") == &table.of("x"));
}

TEST_CASE("a family counts for all its members, by its pattern") {
    ScriptTest test;
    test.load("local ns = namespace '/tenant/:name'\nns:on('a', function() end)");
    test.send(test.join("/tenant/x"), R"(["a"])", "/tenant/x");
    test.send(test.join("/tenant/y"), R"(["a"])", "/tenant/y");
    CHECK(events_of(test, "/tenant/:name") == Lines{"a: 2, 0, 2", "other: 0, 0, 0"});
}

TEST_CASE("versions that do not load are counted") {
    LogCapture log;
    ScriptTest test;
    test.load("local ns = namespace '/t'");
    CHECK(test.host->load_failures() == 0);
    test.reload("local ns = namespace '/t'\nerror('no')");
    CHECK(test.host->load_failures() == 1);
    test.reload("local ns = namespace '/t'\n-- mended");
    CHECK(test.host->load_failures() == 1);
    CHECK(test.host->stats().front().generation == 2);
}
