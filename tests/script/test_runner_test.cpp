// What `moonwire test` is made of: each case is an app with a handler file and a file of tests.
#include "core/script/test_runner.hpp"

#include <doctest/doctest.h>

#include <map>

#include "tests/script/host_fixture.hpp"

namespace moonwire::script {
namespace {

/// An app whose tests are run; what came of them, by their names.
struct TestApp {
    explicit TestApp(std::string_view handlers = "", std::string_view tests = "") {
        if (!handlers.empty()) folder.write("main.lua", handlers);
        if (!tests.empty()) folder.write("main_test.lua", tests);
        const auto settings = std::make_shared<
            const std::function<std::optional<std::string>(std::string_view)>>(
            [](std::string_view name) -> std::optional<std::string> {
                if (name == "limit") return "3";
                return std::nullopt;
            });
        options.host.apps.push_back({"app", folder.path(), settings});
    }
    void run() {
        report = run_tests(options, {});
        for (const TestResult& each : report.results) results[each.name] = each;
    }
    /// What is wrong with a test; empty if it passed.
    const std::string& failure(const std::string& name) {
        REQUIRE(results.contains(name));
        return results[name].failure;
    }
    bool failed_with(const std::string& name, std::string_view part) {
        INFO(failure(name));
        const bool found = failure(name).find(part) != std::string::npos;
        CHECK(found);
        return found && results[name].status == TestStatus::failed;
    }
    void all_pass(std::size_t count) {
        run();
        for (const LoadError& error : report.errors) CHECK(error.message == "");
        for (const TestResult& each : report.results) CHECK_MESSAGE(each.failure == "", each.name);
        CHECK(report.count(TestStatus::passed) == count);
    }

    ScriptFolder folder;
    TestOptions options;
    TestReport report;
    std::map<std::string, TestResult> results;
};

constexpr std::string_view kShop = R"lua(
local ns = namespace "/shop"
local schema = require "schema"
ns:use(function(socket)
  if socket.handshake.auth.token ~= "t" then fail("unauthorized", "no token", { hint = 7 }) end
  socket.data.name = socket.handshake.query.name or "nobody"
end)
ns:on_connect(function(socket) socket:join("all") socket:emit("welcome", socket.data.name) end)
ns:on_disconnect(function(socket, reason)
  ns.state.left = (ns.state.left or 0) + 1
  ns:emit("gone", reason)
end)
ns:on("buy", schema.object { item = schema.string() }, function(socket, order)
  ns.state.sold = (ns.state.sold or 0) + 1
  socket:broadcast():emit("sold", order.item, ns.state.sold)
  return { ok = true, ride = { fare = 4, stops = { "a", "b" } } }
end)
ns:on("slow", function(socket, seconds) sleep(seconds) return "done" end)
ns:on("quiet", function(socket) return noack end)
ns:on("bug", function(socket)
  local nothing
  return nothing.field
end)
ns:on("question", function(socket, q) return socket:timeout(5):call("confirm?", q) end)
ns:on("photo", function(socket, photo) ns:emit("photo", photo) return photo.data end)
ns:on("kick", function(socket) socket:disconnect(true) end)
ns:on("fetch", function(socket, url)
  local response, why = http.request { url = url, method = "POST", body = '{"a":1}',
                                       headers = { ["content-type"] = "application/json" } }
  if not response then return { why = why } end
  return { status = response.status, body = response.body }
end)
ns:on("limit", function() return setting("limit") end)
ns:on("time", function() return now(), os.time(), os.date("!%H:%M"), os.time { year = 1970, month = 1, day = 2, hour = 12 } end)
ns:serve("sold", function(more) return ns.state.sold, more end)
ns:serve("refuse", function() fail("no", "not now") end)
ns:on_server("restock", function(item) ns.state.restocked = item end)
every(60, function() ns:emit("tick", now()) end)
cron("0 12 * * *", function() ns:emit("noon") end)
route("GET", "/items/:id", function(request)
  return 200, { id = request.params.id, q = request.query.q }, { ["x-kind"] = "item" }
end)
route("POST", "/items", { schema = schema.object { name = schema.string() } },
      function(request) return 201, request.json.name end)
)lua";

std::string with_client(std::string_view body) {
    return "it('works', function()\n"
           "local a = connect('/shop', { auth = { token = 't' } })\n" +
           std::string(body) + "\nend)\n";
}

TEST_CASE("on_suspicious hears what a test's own clients do, and each test for itself") {
    TestApp app(R"lua(
local ns = namespace "/t"
ns:use(function(socket)
  if socket.handshake.auth.token ~= "t" then fail("unauthorized", "no token") end
end)
on_suspicious(function(incident)
  ns.state.heard = ns.state.heard or {}
  table.insert(ns.state.heard, { incident.kind, incident.address, incident.count })
end)
)lua",
                R"lua(
local function guess(times)
  for i = 1, times do connect("/t", { address = "192.0.2.1" }) end
end
it("hears a refusal", function()
  guess(1)
  expect(state("/t").heard).to_equal { { "auth_failed", "192.0.2.1", 1 } }
end)
it("hears several as one more, once time passes", function()
  guess(3)
  expect(state("/t").heard).to_have_length(1)
  advance(1)
  expect(state("/t").heard).to_equal { { "auth_failed", "192.0.2.1", 1 }, { "auth_failed", "192.0.2.1", 2 } }
end)
)lua");
    app.all_pass(2);
}

TEST_CASE("clients connect, call, are told, and leave") {
    TestApp app(kShop, R"lua(
        describe("a client", function()
          local a
          before_each(function()
            a = connect("/shop", { auth = { token = "t" }, query = { name = "ann & bob" } })
          end)
          it("is in", function()
            expect(a.connected).to_equal(true)
            expect(a.nsp).to_equal("/shop")
            expect(#a.id).to_equal(20)
            expect(a:received("welcome")).to_equal { "ann & bob" }
          end)
          it("is refused", function()
            local client, refusal = connect { nsp = "/shop", auth = {} }
            expect(client).to_be_nil()
            expect(refusal).to_equal { message = "no token",
                                       data = { code = "unauthorized", hint = 7 } }
            local none, why = connect("/nowhere")
            expect(none).to_be_nil()
            expect(why.message).to_equal("Invalid namespace")
          end)
          it("calls", function()
            local b = connect("/shop", { auth = { token = "t" } })
            expect(a:call("buy", { item = "moon" }))
              .to_equal { ok = true, ride = { fare = 4, stops = { "a", "b" } } }
            expect(b:received()).to_equal { { "welcome", "nobody" }, { "sold", "moon", 1 } }
            local item, count = b:wait_for("sold")
            expect({ item, count }).to_equal { "moon", 1 }
            expect(a:call("buy", {}).error.code).to_equal("invalid")
          end)
          it("waits in simulated time", function()
            local before = now()
            expect(a:call("slow", 3)).to_equal("done")
            expect(now() - before).to_be_near(3)
            local answer, why = a:call("quiet")
            expect(answer).to_be_nil()
            expect(why).to_equal("timeout")
            local first, second = a:start("slow", 30), a:start("slow", 20)
            expect(second:wait(25)).to_equal("done")
            expect({ first:wait(1) }).to_equal { [2] = "timeout" }
            expect(first:wait(10)).to_equal("done")
          end)
          it("answers", function()
            a:on_call("confirm?", function(q) return q * 2, "yes" end)
            expect({ a:call("question", 21) }).to_equal { 42, "yes" }
          end)
          it("sends binary", function()
            expect(a:call("photo", bytes("\1\2"))).to_equal("\1\2")
            expect(a:received("photo")).to_equal { bytes("\1\2") }
          end)
          it("reads in order", function()
            a:emit("buy", { item = "x" })
            advance(60)
            expect((a:recv())).to_equal("welcome")
            local event, time = a:recv()
            expect(event).to_equal("tick")
            expect(time).to_be_near(now())
            expect({ a:recv(0.5) }).to_equal { [2] = "timeout" }
            a:clear()
            expect(a:received()).to_equal {}
          end)
          it("leaves", function()
            local b = connect("/shop", { auth = { token = "t" } })
            b:disconnect()
            expect(b.connected).to_equal(false)
            expect({ b:emit("buy", { item = "x" }) }).to_equal { [2] = "disconnected" }
            expect({ b:call("buy", { item = "x" }) }).to_equal { [2] = "disconnected" }
            expect(a:received("gone")).to_equal { "client namespace disconnect" }
            local c = connect("/shop", { auth = { token = "t" } })
            c:drop()
            expect(a:received("gone")[2]).to_equal("transport close")
            local d = connect("/shop", { auth = { token = "t" } })
            d:emit("kick")
            expect(d.connected).to_equal(false)
            expect(state("/shop")).to_equal { left = 3 }
          end)
        end)
    )lua");
    app.all_pass(8);
}

TEST_CASE("a client that is put out as soon as it is in has what it was told") {
    TestApp app(R"lua(
local ns = namespace "/t"
ns:on_connect(function(socket)
  socket:emit("error", { message = "who are you?" })
  socket:disconnect()
end)
)lua",
                R"lua(
it("tells", function()
  local a = connect("/t")
  expect(a.connected).to_equal(false)
  expect(a:received("error")).to_equal { { message = "who are you?" } }
end)
)lua");
    app.all_pass(1);
}

TEST_CASE("each test has a fresh world, and the time that it says") {
    TestApp app(kShop, R"lua(
        for i = 1, 2 do
          it("is alone " .. i, function()
            clock("2026-03-01T11:59:30Z")
            local a = connect("/shop", { auth = { token = "t" } })
            expect(iso_time(a:call("time"))).to_equal("2026-03-01T11:59:30.000Z")
            local _, time, date, given = a:call("time")
            expect({ time, date }).to_equal { now(), "11:59" }
            expect(given < 3 * 86400).to_equal(true)
            expect(state("/shop")).to_equal {}
            a:call("buy", { item = "x" })
            expect(state("/shop")).to_equal { sold = 1 }
            advance(20)
            expect(a:received("noon")).to_equal {}
            advance(20)
            expect(#a:received("noon")).to_equal(1)
            advance(24 * 3600)
            expect(#a:received("noon")).to_equal(2)
            expect(#a:received("tick")).to_equal(24 * 60)
          end)
        end
    )lua");
    app.all_pass(2);
}

TEST_CASE("routes, services, server events and settings are within reach") {
    TestApp app(kShop, R"lua(
        it("routes", function()
          local status, body, headers = request("GET", "/items/7?q=a%20b")
          expect({ status, body }).to_equal { 200, { id = "7", q = "a b" } }
          expect(headers["x-kind"]).to_equal("item")
          expect({ request("POST", "/items", { json = { name = "n" } }) })
            .to_match { 201, "n" }
          expect((request("POST", "/items", { json = {} }))).to_equal(422)
          expect((request("GET", "/nowhere"))).to_equal(404)
          expect((request("PUT", "/items"))).to_equal(405)
        end)
        it("services", function()
          local a = connect("/shop", { auth = { token = "t" } })
          a:call("buy", { item = "x" })
          expect({ ask("/shop", "sold", "more") }).to_equal { 1, "more" }
          expect({ ask("/shop", "refuse") }).to_equal { [2] = "not now", [3] = "no" }
          expect(function() ask("/none", "x") end).to_error("no such namespace /none")
        end)
        it("server events", function()
          server_emit("/shop", "restock", "moon")
          expect(state("/shop").restocked).to_equal("moon")
        end)
        it("settings", function()
          settings { limit = { 1, 2 } }
          local a = connect("/shop", { auth = { token = "t" } })
          expect(a:call("limit")).to_equal { 1, 2 }
          expect(function() settings { limit = 1 } end).to_error("must come before")
        end)
        it("settings of the app", function()
          local a = connect("/shop", { auth = { token = "t" } })
          expect(a:call("limit")).to_equal(3)
        end)
    )lua");
    app.all_pass(5);
}

TEST_CASE("a failing assertion names its line and the first differences") {
    TestApp app(kShop, with_client(R"lua(
        local reply = a:call("buy", { item = "moon" })
        expect(reply).to_equal { ok = true, ride = { fare = 3, stops = { "a" } }, more = 1 }
    )lua"));
    app.run();
    CHECK(app.failed_with("works", "app/main_test.lua:5: not as expected"));
    CHECK(app.failed_with("works", "\n  $.more: expected 1, got nothing"));
    CHECK(app.failed_with("works", "\n  $.ride.fare: expected 3, got 4"));
    CHECK(app.failed_with("works", "\n  $.ride.stops.2: unexpected \"b\""));
    CHECK(app.results["works"].line == 1);
}

TEST_CASE("every assertion can fail, and so can its opposite") {
    const std::map<std::string, std::string> assertions = {
        {"expect(1).to_equal(2)", "expected 2, got 1"},
        {"expect(1).never.to_equal(1)", "expected anything but 1"},
        {"expect(null).to_equal({})", "expected {}, got null"},
        {"expect({ a = 1 }).to_match { a = 2 }", "$.a: expected 2, got 1"},
        {"expect({ a = 1, b = 2 }).never.to_match { a = 1 }", "has all of { a = 1 }"},
        {"expect('abc').to_match('^b')", "\"abc\" does not match \"^b\""},
        {"expect({ n = 1 }).to_equal { n = require('schema').string() }", "$.n: "},
        {"expect(0).to_be_nil()", "expected nil, got 0"},
        {"expect(nil).never.to_be_nil()", "expected a value, got nil"},
        {"expect({ 1, { x = 2 } }).to_contain { x = 3 }", "does not contain { x = 3 }"},
        {"expect('abc').never.to_contain('b')", "\"abc\" contains \"b\""},
        {"expect({ 1 }).to_have_length(2)", "expected 2 of them, got 1"},
        {"expect(1.1).to_be_near(1, 0.01)", "expected 1 within 0.01, got 1.1"},
        {"expect(function() end).to_error()", "expected an error, got none"},
        {"expect(function() error('x') end).to_error('y')", "expected an error with \"y\""},
        {"expect(function() error('x') end).never.to_error()", "expected no error"},
        {"expect(1).to_bee(1)", "expect has no 'to_bee'"},
        {"expect(1):to_equal(1)", "takes a dot, not a colon"},
    };
    std::string tests;
    for (const auto& [code, message] : assertions)
        tests += "it([[" + code + "]], function() " + code + " end)\n";
    TestApp app(kShop, tests);
    app.run();
    for (const auto& [code, message] : assertions) {
        CHECK(app.failed_with(code, message));
        CHECK(app.failed_with(code, "app/main_test.lua:"));
    }
}

TEST_CASE("an error in a test is told with the scripts' part of its traceback") {
    TestApp app(kShop, R"lua(
        local function inner() error("broken") end
        it("fails", function() inner() end)
        it("fails with a value", function() error({}) end)
        it("fails by fail", function() fail("code", "message") end)
    )lua");
    app.run();
    CHECK(app.failed_with("fails", "app/main_test.lua:2: broken"));
    CHECK(app.failed_with("fails", "main_test.lua:3"));
    CHECK(app.failure("fails").find("[moonwire]") == std::string::npos);
    CHECK(app.failed_with("fails with a value", "table"));
    CHECK(app.failed_with("fails by fail", "code: message"));
}

TEST_CASE("a handler's bug fails the test, unless it expects it") {
    TestApp app(kShop, R"lua(
        local function bug()
          local a = connect("/shop", { auth = { token = "t" } })
          expect(a:call("bug").error.code).to_equal("internal")
        end
        it("bug", bug)
        it("expected", function() expect_error_log("attempt to index") bug() end)
        it("another", function() expect_error_log("attempt to call") bug() end)
        it("none", function() expect_error_log("attempt to index") end)
    )lua");
    app.run();
    CHECK(app.failed_with("bug", "logged an error: app/main.lua:"));
    CHECK(app.failed_with("bug", "stack traceback:"));
    CHECK(app.failure("expected") == "");
    CHECK(app.failed_with("another", "attempt to index"));
    CHECK(app.failed_with("another", "no error was logged that matches \"attempt to call\""));
    CHECK(app.failed_with("none", "app/main_test.lua:9: no error was logged"));
}

TEST_CASE("HTTP requests are answered by the test; unexpected ones fail it") {
    TestApp app(kShop, R"lua(
        local function fetch(url)
          return connect("/shop", { auth = { token = "t" } }):call("fetch", url)
        end
        it("answered", function()
          local seen
          http.on("POST", "https://maps/*", function(request)
            seen = request
            return 201, { ok = true }, { ["x-a"] = "b" }
          end)
          expect(fetch("https://maps/route?x=1")).to_equal { status = 201, body = '{"ok":true}' }
          expect(seen).to_match { method = "POST", url = "https://maps/route?x=1",
                                  json = { a = 1 } }
        end)
        it("failing", function()
          http.on("*", "https://maps/", function() return nil, "timeout" end)
          expect(fetch("https://maps/").why).to_equal("timeout")
        end)
        it("unexpected", function() fetch("https://elsewhere/x") end)
        it("broken", function()
          http.on("POST", "https://maps/", function() error("oh") end)
          fetch("https://maps/")
        end)
        it("waiting", function()
          http.on("POST", "https://maps/", function() advance(1) end)
          fetch("https://maps/")
        end)
    )lua");
    app.run();
    CHECK(app.failure("answered") == "");
    CHECK(app.failure("failing") == "");
    CHECK(app.failed_with("unexpected", "unexpected HTTP request: POST https://elsewhere/x"));
    CHECK(app.failed_with("broken", "http.on for POST https://maps/: app/main_test.lua"));
    CHECK(app.failed_with("waiting", "advance can't be used in what on_call or http.on call"));
}

TEST_CASE("logs can be read") {
    TestApp app(R"lua(
        local ns = namespace "/t"
        ns:on("say", function() log.warn("hear", { n = 3, who = "x" }) log.debug("this") end)
    )lua", R"lua(
        it("reads", function()
          connect("/t"):call("say")
          expect(logs()).to_match { [1] = { level = "warn", message = "hear",
            fields = { namespace = "/t", n = 3, who = "x" } }, [2] = { level = "debug" } }
        end)
    )lua");
    app.all_pass(1);
}

TEST_CASE("hooks surround each test, and a failing one fails it") {
    TestApp app(kShop, R"lua(
        local order = {}
        local function note(what) return function() order[#order + 1] = what end end
        before_each(note("a"))
        after_each(note("z"))
        describe("in", function()
          before_each(note("b"))
          after_each(note("y"))
          it("first", note("1"))
        end)
        it("then", function()
          expect(table.concat(order)).to_equal("ab1yza")
        end)
        describe("broken", function()
          before_each(function() error("no start") end)
          it("starts", function() error("not reached") end)
        end)
        describe("untidy", function()
          after_each(function() error("no end") end)
          it("ends", function() end)
        end)
    )lua");
    app.run();
    CHECK(app.failure("in > first") == "");
    CHECK(app.failure("then") == "");
    CHECK(app.failed_with("broken > starts", "no start"));
    CHECK(app.failed_with("untidy > ends", "no end"));
}

TEST_CASE("tests can be left out, and chosen by their names") {
    constexpr std::string_view kTests = R"lua(
        it.skip("skipped", function() error("ran") end)
        pending("pending")
        describe.skip("group", function() it("inside", function() error("ran") end) end)
        describe("kept", function() it("one", function() end) it("two", function() end) end)
    )lua";
    TestApp app(kShop, kTests);
    app.run();
    CHECK(app.report.count(TestStatus::skipped) == 3);
    CHECK(app.report.count(TestStatus::passed) == 2);
    CHECK(app.report.count(TestStatus::failed) == 0);

    TestApp filtered(kShop, kTests);
    filtered.options.filter = "^kept > t.o$";
    filtered.run();
    REQUIRE(filtered.report.results.size() == 1);
    CHECK(filtered.report.results[0].name == "kept > two");

    TestApp malformed(kShop, kTests);
    malformed.options.filter = "%";
    malformed.run();
    REQUIRE(malformed.report.errors.size() == 1);
    CHECK(malformed.report.errors[0].file == "--filter");
}

TEST_CASE("errors of a file are told with its line, and the other files go on") {
    TestApp app(kShop);
    app.folder.write("a_test.lua", "it('never runs', function() end)\nerror('top level')\n");
    app.folder.write("b_test.lua", "it('is ( malformed\n");
    app.folder.write("c_test.lua", "connect('/shop')");
    app.folder.write("d_test.lua", "it('runs', function() end)");
    app.run();
    REQUIRE(app.report.errors.size() == 3);
    CHECK(app.report.errors[0].file == "app/a_test.lua");
    CHECK(app.report.errors[0].line == 2);
    CHECK(app.report.errors[0].message == "top level");
    CHECK(app.report.errors[1].file == "app/b_test.lua");
    CHECK(app.report.errors[1].line == 1);
    CHECK(app.report.errors[2].message.find("only be used in a test") != std::string::npos);
    CHECK(app.report.count(TestStatus::passed) == 1);
    CHECK(app.report.results.size() == 1);
}

TEST_CASE("scripts that do not load are told of, and their tests do not run") {
    TestApp app("local ns = namespace '/t'\nns:onn()\n", "it('never runs', function() end)");
    app.run();
    REQUIRE(app.report.errors.size() == 1);
    CHECK(app.report.errors[0].file == "app/main.lua");
    CHECK(app.report.errors[0].line == 2);
    CHECK(app.report.results.empty());
}

TEST_CASE("test files share what they require, and use the app's modules") {
    TestApp app("local ns = namespace '/t'\n");
    app.folder.write("lib/sum.lua", "return function(a, b) return a + b + setting('limit') end");
    app.folder.write("support_test.lua", "return { join = function(nsp) return connect(nsp) end }");
    app.folder.write("x_test.lua", R"lua(
        local support = require "support_test"
        local sum = require "lib.sum"
        it("shares", function()
          expect(sum(1, 2)).to_equal(6)
          expect(support.join("/t").connected).to_equal(true)
        end)
    )lua");
    app.all_pass(1);
}

TEST_CASE("a test's Lua is as confined as a handler's") {
    TestApp app(kShop, R"lua(
        for _, name in ipairs { "io", "debug", "ffi", "jit", "package", "dofile", "loadstring",
                                "namespace", "every", "route" } do
          it(name, function() expect(_G[name]).to_be_nil() end)
        end
        it("os", function() expect(os.execute).to_be_nil() end)
        it("globals", function() forgotten = 1 end)
    )lua");
    app.run();
    CHECK(app.report.count(TestStatus::passed) == 11);
    CHECK(app.failed_with("globals", "global 'forgotten' was not declared"));
}

TEST_CASE("what is used wrongly says so") {
    TestApp app(kShop, R"lua(
        local before
        it("keeps", function() before = connect("/shop", { auth = { token = "t" } }) end)
        it("old client", function() before:call("buy") end)
        it("option", function() connect("/shop", { tokn = 1 }) end)
        it("dot", function() connect("/shop", { auth = { token = "t" } }).call("buy") end)
        it("nested", function() it("x", function() end) end)
        it("nan", function() before = connect("/shop", { auth = { token = 0/0 } }) end)
        it("clock", function() clock("yesterday") end)
    )lua");
    app.run();
    CHECK(app.failed_with("old client", "this client belongs to another test"));
    CHECK(app.failed_with("option", "connect has no option 'tokn'; there are nsp auth"));
    CHECK(app.failed_with("dot", "call its methods with ':'"));
    CHECK(app.failed_with("nested", "can't be used inside a test"));
    CHECK(app.failed_with("nan", "NaN"));
    CHECK(app.failed_with("clock", "2026-03-01T08:00:00Z"));
}

TEST_CASE("a test that calls namespace is no test but a namespace that the tests have") {
    TestApp app(kShop, R"lua(
        it("is there", function() expect(connect("/only"):call("e")).to_equal(7) end)
    )lua");
    app.folder.write("only_test.lua", "namespace('/only'):on('e', function() return 7 end)");
    app.all_pass(1);
}

TEST_CASE("the tests in the folder of shared modules use them by the names that apps do") {
    TestApp app;
    App& shared = app.options.host.apps.front();
    shared.name = "shared";
    shared.shared = shared.folder;
    app.folder.write("v.lua", "return 7");
    app.folder.write("help_test.lua", "return 1");
    app.folder.write("app_test.lua", "local v = require 'shared.v' "
                                     "namespace('/t'):on('e', function() return v end)");
    app.folder.write("v_test.lua", R"lua(
        local v = require "shared.v"
        it("is the module", function() expect(v).to_equal(7) end)
        it("is the handlers', too", function() expect(connect("/t"):call("e")).to_equal(7) end)
        it("has one name", function() expect(function() require "v" end).to_error("not found") end)
        it("shares", function() expect(require "help_test").to_equal(1) end)
    )lua");
    app.all_pass(4);
}

TEST_CASE("demo() loads the app's demo.lua, for that test") {
    TestApp app(kShop, R"lua(
        it("is off", function() expect(connect("/demo")).to_be_nil() end)
        it("is on", function() demo() expect(connect("/demo"):call("e")).to_equal(1) end)
        it("is off again", function() expect(connect("/demo")).to_be_nil() end)
        it("comes late", function() advance(1) expect(demo).to_error("must come before") end)
    )lua");
    app.folder.write("demo.lua", "namespace('/demo'):on('e', function() return 1 end)");
    app.all_pass(4);
    TestApp without(kShop, R"lua(it("has none", function() demo() end))lua");
    without.run();
    CHECK(without.failed_with("has none", "the app has no demo.lua"));
}

TEST_CASE("a world that never comes to rest ends with the test's time") {
    TestApp app(R"lua(
        local ns = namespace "/t"
        ns:on("spin", function() while true do sleep(0) end end)
    )lua", R"lua(
        it("spins", function() connect("/t"):call("spin") end)
        it("goes on", function() connect("/t") end)
    )lua");
    app.options.test_time = std::chrono::milliseconds(200);
    app.run();
    CHECK(app.failed_with("spins", "app/main_test.lua:2: the test took longer than"));
    CHECK(app.failure("goes on") == "");
}

TEST_CASE("JUnit's XML has every test, and is well formed whatever they say") {
    TestReport report;
    report.results = {{"app/a_test.lua", 3, "a < b & \"c\"", TestStatus::passed, "", 0.5},
                      {"app/a_test.lua", 4, "no", TestStatus::failed, "first\nsecond <\1>", 0.25},
                      {"app/b_test.lua", 5, "later", TestStatus::skipped, "", 0}};
    report.errors = {{"app/c_test.lua", 7, "broken"}};
    const std::string xml = report.junit_xml();
    const auto has = [&](std::string_view part) { return xml.find(part) != std::string::npos; };
    CHECK(has(R"(<testsuites name="moonwire test" tests="4" failures="1" errors="1" skipped="1">)"));
    CHECK(has(R"(<testsuite name="app/a_test.lua" tests="2" failures="1" errors="0" skipped="0" time="0.750000">)"));
    CHECK(has(R"(name="a &lt; b &amp; &quot;c&quot;" file="app/a_test.lua" line="3" time="0.500000"/>)"));
    CHECK(has(R"(<failure message="first">first&#10;second &lt;?&gt;</failure>)"));
    CHECK(has("<skipped/>"));
    CHECK(has(R"(<error message="app/c_test.lua:7">app/c_test.lua:7: broken</error>)"));
}

TEST_CASE("a test reads what the scripts count") {
    TestApp app(R"lua(
local ns = namespace "/shop"
local sold = metrics.counter("sold_total", "Sold.", { "item", "paid" })
local took = metrics.histogram("took_seconds", "Took.")
ns:on("buy", function(socket, item) sold:inc({ item = item, paid = true }) took:observe(0.5) end)
)lua",
                R"lua(
it("counts", function()
  local a = connect("/shop")
  expect(metric("sold_total")).to_be_nil()
  a:call("buy", "cup") a:call("buy", "cup") a:call("buy", "plate")
  expect(metric("sold_total", { item = "cup" })).to_equal(2)
  expect(metric("sold_total", { item = "cup", paid = "true", namespace = "/shop" })).to_equal(2)
  expect(metric("sold_total")).to_equal(3)
  expect(metric("sold_total", { item = "moon" })).to_be_nil()
  local count, sum = metric("took_seconds")
  expect(count).to_equal(3)
  expect(sum).to_equal(1.5)
  expect(function() metric("nothing") end).to_error("no script has a metric 'nothing'")
end)
it("begins anew", function() expect(metric("sold_total")).to_be_nil() end)
)lua");
    app.all_pass(2);
}

}  // namespace
}  // namespace moonwire::script
