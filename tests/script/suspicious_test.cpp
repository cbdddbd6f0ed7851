// `on_suspicious`, and whom the broker takes a socket's user to be.
#include <doctest/doctest.h>

#include <string>

#include "core/base/incident.hpp"
#include "tests/script/host_fixture.hpp"
#include "tests/script/log_capture.hpp"

using namespace moonwire;
using namespace moonwire::script;

namespace {

Incident breach(std::string_view detail = {}) {
    return {.kind = IncidentKind::events_per_second,
            .address = "192.0.2.1",
            .user = "u1",
            .nsp = "/chat",
            .socket = "s1",
            .detail = detail,
            .count = 3};
}

}  // namespace

TEST_CASE("on_suspicious hears what is known of an incident") {
    ScriptTest test;
    test.load(R"(
local ns = namespace "/t"
on_suspicious(function(incident)
  local line = {}
  for _, name in ipairs { "kind", "time", "address", "user", "nsp", "socket", "detail", "count", "skipped" } do
    table.insert(line, tostring(incident[name]))
  end
  ns.state.heard = (ns.state.heard or "") .. table.concat(line, " ") .. ";"
end)
ns:on("heard", function() return ns.state.heard end))");
    test.host->tell_suspicion(breach("dropped"));
    test.host->tell_suspicion({.kind = IncidentKind::origin, .address = "192.0.2.2"});
    test.settle();
    CHECK(test.ask(test.join(), R"(["heard"])") ==
          R"(["events_per_second 1700000000 192.0.2.1 u1 /chat s1 dropped 3 0;)"
          R"(origin 1700000000 192.0.2.2 nil nil nil nil 1 0;"])");
}

TEST_CASE("a flood of incidents is told in part, and how many were skipped") {
    ScriptTest test;
    test.load(R"(
local ns = namespace "/t"
on_suspicious(function(incident) ns.state.told = (ns.state.told or 0) + 1 end)
ns:on("told", function() return ns.state.told end))");
    for (int i = 0; i < 1000; ++i) test.host->tell_suspicion(breach(std::to_string(i)));
    test.settle();
    const int told = std::stoi(test.ask(test.join(), R"(["told"])").substr(1));
    CHECK(told >= 20);
    CHECK(told < 500);
}

TEST_CASE("every hook runs in a coroutine of its own, may wait, and a bug costs only itself") {
    LogCapture log;
    ScriptTest test;
    test.folder.write("a.lua", R"(
local ns = namespace "/t"
on_suspicious(function() error("oops") end)
on_suspicious(function(incident) sleep(5) ns.state.slow = incident.kind end)
on_suspicious(function(incident) ns.state.quick = incident.kind end)
ns:on("told", function() return ns.state.quick, ns.state.slow end))");
    test.folder.write("b.lua", R"(
local ns = namespace "/other"
on_suspicious(function(incident) ns.state.other = incident.kind end)
ns:on("told", function() return ns.state.other end))");
    test.load();
    test.host->tell_suspicion(breach());
    test.settle();
    const auto client = test.join();
    CHECK(test.ask(client, R"(["told"])") == R"(["events_per_second",null])");
    test.advance(5);
    CHECK(test.ask(client, R"(["told"])") == R"(["events_per_second","events_per_second"])");
    CHECK(test.ask(test.join("/other"), R"(["told"])", "/other") == R"(["events_per_second"])");
    CHECK(log.text().find("oops") != std::string::npos);
}

TEST_CASE("a reload swaps on_suspicious, and without one nothing is told") {
    ScriptTest test;
    test.load("local ns = namespace '/t' ns:on('n', function() return ns.state.n end)");
    test.host->tell_suspicion(breach());
    CHECK(test.reload("local ns = namespace '/t' on_suspicious(function() ns.state.n = 1 end) "
                      "ns:on('n', function() return ns.state.n end)")
              .empty());
    test.host->tell_suspicion(breach());
    test.settle();
    CHECK(test.ask(test.join(), R"(["n"])") == "[1]");
    CHECK(test.reload("local ns = namespace '/t' ns:on('n', function() return ns.state.n end)")
              .empty());
    test.host->tell_suspicion(breach());
    test.settle();
    CHECK(test.ask(test.join(), R"(["n"])") == "[1]");
}

TEST_CASE("on_suspicious takes a function, while a file loads") {
    LogCapture log;
    ScriptTest test;
    CHECK(test.load_errors("namespace '/t' on_suspicious(7)").size() == 1);
    test.load("local ns = namespace '/t' ns:on('late', function() on_suspicious(print) end)");
    test.ask(test.join(), R"(["late"])");
    CHECK(log.text().find("on_suspicious can only be used while a file loads") !=
          std::string::npos);
}

TEST_CASE("a socket's user is the id or sub that middleware gives it") {
    socketio::ServerOptions options;
    options.nsp.connections_per_user = 1;
    const std::pair<const char*, const char*> kUsers[] = {{"{ id = 'u7' }", "u7"},
                                                          {"{ sub = 'u8', name = 'x' }", "u8"},
                                                          {"{ id = 42 }", "42"},
                                                          {"{ id = { 1 } }", ""},
                                                          {"{ name = 'x' }", ""},
                                                          {"'u9'", ""}};
    for (const auto& [given, user] : kUsers) {
        CAPTURE(given);
        ScriptTest test(1, options);
        test.load("local ns = namespace '/t' ns:use(function(socket) socket.data.user = " +
                  std::string(given) + " end)");
        test.join();
        const auto second = test.knock();
        const bool refused = second->take().front().starts_with("4/t,");
        CHECK(refused == !std::string_view(user).empty());
        const auto sockets = test.server->find("/t")->select({});
        REQUIRE(!sockets.empty());
        CHECK(sockets.front()->user() == user);
    }
}

TEST_CASE("a client that comes back is still its user, and one user it stays") {
    socketio::ServerOptions options;
    options.nsp.connections_per_user = 1;
    options.nsp.recovery.enabled = true;
    ScriptTest test(1, options);
    test.load("local ns = namespace '/t' ns:use(function(socket) "
              "socket.data.user = { id = socket.handshake.auth.user or 'u' } end)");
    const auto first = test.knock("/t", R"({"user":"u1"})");
    const std::string answer = first->take().front();
    const auto at = answer.find("\"pid\":\"") + 7;
    const std::string pid = answer.substr(at, answer.find('"', at) - at);
    test.server->find("/t")->broadcast({}, {R"(["e"])"}, {});
    test.settle();
    const std::string event = first->take().front();
    const std::string offset = event.substr(event.rfind(',') + 2, event.rfind('"') - event.rfind(',') - 2);
    first->finish(engineio::CloseReason::transport_error);
    test.settle();
    const auto again =
        test.knock("/t", R"({"pid":")" + pid + R"(","offset":")" + offset + "\"}");
    CHECK(test.server->find("/t")->select({}).front()->user() == "u1");
    CHECK(test.server->find("/t")->select({}).front()->recovered());
    CHECK(test.knock("/t", R"({"user":"u1"})")->take().front().starts_with("4/t,"));
}
