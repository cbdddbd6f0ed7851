#include "tests/script/host_fixture.hpp"
#include "tests/script/log_capture.hpp"

using namespace moonwire;
using namespace moonwire::script;

TEST_CASE("a reload swaps the code and keeps sockets, rooms, state and socket.data") {
    ScriptTest test;
    test.load(R"(
local ns = namespace "/t"
ns:on_connect(function(socket) socket:join("r") socket.data.n = 1 ns.state.n = (ns.state.n or 0) + 1 end)
ns:on("e", function() return "old" end)
ns:on("gone", function() return 1 end)
)");
    const auto client = test.join();
    CHECK(test.ask(client, R"(["e"])") == R"(["old"])");
    CHECK(test.reload(R"(
local ns = namespace "/t"
ns:on("e", function(socket) return "new", ns.state.n, socket.data.n, ns:to("r"):count() end)
)") == Lines{});
    CHECK(test.ask(client, R"(["e"])") == R"(["new",1,1,1])");
    CHECK(test.ask(client, R"(["gone"])") == "");
    CHECK(test.host->stats().at(0).generation == 2);
}

TEST_CASE("a failing reload keeps the running generation and names file and line") {
    ScriptTest test;
    test.load(R"(
local ns = namespace "/t"
ns:on("e", function() return "old" end)
every(1, function() ns:emit("tick") end)
)");
    const auto client = test.join();
    CHECK(test.reload("local ns = namespace '/t'\nns:on('e' function() end)")
              .at(0)
              .starts_with("app/main.lua:2: "));
    CHECK(test.reload("local ns = namespace '/t'\n\nerror('at load')") ==
          Lines{"app/main.lua:3: at load"});
    CHECK(test.reload("local ns = namespace '/t'\nlocal x = nil + 1") ==
          Lines{"app/main.lua:2: attempt to perform arithmetic on a nil value"});
    CHECK(test.ask(client, R"(["e"])") == R"(["old"])");
    CHECK(test.host->stats().at(0).generation == 1);
    test.advance(1);
    CHECK(client->take() == Lines{R"(2/t,["tick"])"});
}

TEST_CASE("handlers in flight finish with the code they started with") {
    ScriptTest test;
    test.load(R"(
local ns = namespace "/t"
local version = "old"
ns:on_any(function() end)
local schema = require "schema"
ns:on("slow", schema.any(), function(socket) sleep(2) ns.state.seen = version return version, gather(function() return version end) end)
ns:on("call", function(socket) return socket:call("q") end)
)");
    const auto client = test.join();
    client->receive(R"(2/t,1["slow",0])");
    client->receive(R"(2/t,2["call"])");
    test.settle();
    const std::string line = client->take().at(0);
    CHECK(test.reload(R"(
local ns = namespace "/t"
ns:on("slow", function() return "new", ns.state.seen end)
)") == Lines{});
    CHECK(test.ask(client, R"(["slow",0])") == R"(["new",null])");
    client->receive("3/t," + line.substr(4, line.find('[') - 4) + R"(["answer"])");
    test.settle();
    CHECK(client->take() == Lines{R"(3/t,2["answer"])"});
    test.advance(2);
    CHECK(client->take() == Lines{R"(3/t,1["old","old"])"});
    CHECK(test.ask(client, R"(["slow",0])") == R"(["new","old"])");
}

TEST_CASE("timers and spawned loops don't survive a reload, and don't double") {
    ScriptTest test;
    const char* script = R"(
local ns = namespace "/t"
every(1, function() ns:emit("tick") end)
after(3, function() ns:emit("after") end)
spawn(function() while true do sleep(1) ns:emit("loop") end end)
after(0.5, function() while true do sleep(1) ns:emit("from timer") end end)
)";
    test.load(script);
    const auto client = test.join();
    test.advance(0.7);
    for (int i = 0; i < 5; ++i)
        CHECK(test.reload(script + std::string("-- ") + std::to_string(i)) == Lines{});
    CHECK(client->take() == Lines{});
    test.advance(1.2);
    CHECK(client->take() == Lines{R"(2/t,["tick"])", R"(2/t,["loop"])"});
    CHECK(test.reload("local ns = namespace '/t'") == Lines{});
    test.advance(10);
    CHECK(client->take() == Lines{});
    CHECK(test.host->stats().at(0).coroutines == 0);
    CHECK(test.reactors[0]->pending_timers() == 0);
}

TEST_CASE("code that was replaced starts nothing new in the background") {
    ScriptTest test;
    test.load(R"(
local ns = namespace "/t"
ns:on("e", function()
  sleep(1)
  local t = after(1, function() ns:emit("no") end)
  every(1, function() ns:emit("no") end)
  spawn(function() ns:emit("no") end)
  ns:emit("yes")
  return t:cancel()
end)
)");
    const auto client = test.join();
    client->receive(R"(2/t,1["e"])");
    CHECK(test.reload("namespace '/t'") == Lines{});
    test.advance(5);
    CHECK(client->take() == Lines{R"(2/t,["yes"])", "3/t,1[false]"});
}

TEST_CASE("on_reload migrates a copy of the state, which counts only if all succeed") {
    ScriptTest test;
    test.load(R"(
local ns = namespace "/t"
ns:on("set", function() local shared = { 1 } ns.state.v = { list = json.array {}, a = shared, b = shared,
  n = null, blob = bytes("x"), [5] = true } end)
ns:on("get", function() return ns.state end)
)");
    const auto client = test.join();
    test.ask(client, R"(["set"])");
    const char* get =
        "ns:on('get', function() return ns.state.from, ns.state.v.a == ns.state.v.b, "
        "ns.state.v.list, ns.state.v.n, ns.state.v.blob.data, ns.state.v[5] end)\n";
    const std::string head = "local ns = namespace '/t'\n" + std::string(get);
    CHECK(test.reload(head + "ns:on_reload(function(s, from) s.from = from end)\n"
                             "ns:on_reload(function(s) s.v = nil error('bad') end)") ==
          Lines{"app/main.lua:4: on_reload: bad"});
    CHECK(test.host->stats().at(0).generation == 1);
    CHECK(test.reload(head + "ns:on_reload(function(s, from) s.from = from sleep(1) end)")
              .at(0)
              .find("sleep can't be used while a file loads") != std::string::npos);
    CHECK(test.reload(head + "ns:on_reload(function(s, from) s.from = 'g' .. from end)") ==
          Lines{});
    CHECK(test.ask(client, R"(["get"])") == R"(["g1",true,[],null,"x",true])");
}

TEST_CASE("state that is no plain data can't be migrated, and the message says where") {
    ScriptTest test;
    test.load(R"(
local ns = namespace "/t"
ns:on("f", function() ns.state.a = { f = function() end } end)
ns:on("m", function() ns.state.a = setmetatable({}, {}) end)
ns:on("k", function() ns.state.a = { [{}] = 1 } end)
ns:on("d", function() local t = {} ns.state.a = t for i = 1, 200 do t.t = {} t = t.t end end)
)");
    const auto client = test.join();
    const std::string next = "local ns = namespace '/t' ns:on_reload(function() end)";
    const std::pair<const char*, const char*> cases[] = {{"f", "$.a.f: a function"},
                                                         {"m", "$.a: a table with a metatable"},
                                                         {"k", "a key that is a table"},
                                                         {"d", "nested too deeply"}};
    for (const auto& [event, message] : cases) {
        test.ask(client, std::string("[\"") + event + "\"]");
        CHECK(test.reload(next).at(0).find(message) != std::string::npos);
    }
    // Without a migration it is the script's own affair.
    CHECK(test.reload("local ns = namespace '/t'") == Lines{});
}

TEST_CASE("what sends, waits or reads state can't be used while a file loads") {
    const std::pair<const char*, const char*> cases[] = {
        {"sleep(1)", "sleep"},
        {"ns:emit('e')", "emit"},
        {"ns:to('r'):emit('e')", "emit"},
        {"namespace_of('/x'):emit('e')", "emit"},
        {"ns:server_emit('e')", "server_emit"},
        {"ns:count()", "count"},
        {"ns:fetch()", "fetch"},
        {"ns:join('r')", "join"},
        {"ns:leave('r')", "leave"},
        {"ns:disconnect()", "disconnect"},
        {"ns:call('q')", "call"},
        {"ask('/x', 'f')", "ask"},
        {"gather(function() end)", "gather"},
        {"local s = ns.state", "ns.state"},
        {"ns.state = {}", "ns.state"},
    };
    for (const auto& [code, call] : cases) {
        ScriptTest test;
        const Lines errors = test.load_errors("local ns = namespace '/t'\n" + std::string(code));
        REQUIRE(errors.size() == 1);
        CHECK(errors[0] ==
              std::string("app/main.lua:2: ") + call + " can't be used while a file loads");
    }
}

TEST_CASE("files that come and go take their namespaces with them") {
    ScriptTest test;
    test.load("local ns = namespace '/t' ns:on('e', function() return 1 end)");
    const auto client = test.join();
    CHECK(test.knock("/n")->take().at(0).starts_with("4/n,"));
    test.folder.write("n.lua",
                      "local ns = namespace '/n' every(1, function() ns:emit('tick') end)"
                      " ns:on('wait', function() sleep(2) return 'done' end)");
    CHECK(test.reload() == Lines{});
    const auto other = test.join("/n");
    test.advance(1);
    CHECK(other->take() == Lines{R"(2/n,["tick"])"});
    other->receive(R"(2/n,1["wait"])");
    test.folder.remove("n.lua");
    CHECK(test.reload() == Lines{});
    CHECK(other->take() == Lines{"1/n,"});
    test.advance(10);
    CHECK(other->take() == Lines{});
    CHECK(test.knock("/n")->take().at(0).starts_with("4/n,"));
    CHECK(test.ask(client, R"(["e"])") == "[1]");
    CHECK(test.host->stats().size() == 1);
    // And it may come back.
    test.folder.write("n.lua", "local ns = namespace '/n' ns:on('e', function() return 2 end)");
    CHECK(test.reload() == Lines{});
    CHECK(test.ask(test.join("/n"), R"(["e"])", "/n") == "[2]");
}

TEST_CASE("one broken namespace does not keep the others from reloading") {
    ScriptTest test;
    test.folder.write("a.lua", "namespace('/a'):on('v', function() return 1 end)");
    test.folder.write("b.lua", "namespace('/b'):on('v', function() return 1 end)");
    test.load();
    const auto a = test.join("/a"), b = test.join("/b");
    test.folder.write("a.lua", "namespace('/a'):on('v', function() return 2 end) error('broken')");
    test.folder.write("b.lua", "namespace('/b'):on('v', function() return 2 end)");
    CHECK(test.reload() == Lines{"app/a.lua:1: broken"});
    CHECK(test.ask(a, R"(["v"])", "/a") == "[1]");
    CHECK(test.ask(b, R"(["v"])", "/b") == "[2]");
}

TEST_CASE("a thousand reloads leave no memory behind") {
    ScriptTest test;
    test.folder.write("lib/big.lua", "local t = {} for i = 1, 2000 do t[i] = { i } end return t");
    test.load(R"(
local ns = namespace "/t"
local big = require "lib.big"
local schema = require "schema"
ns:use(function() end)
ns:on("e", schema.object { a = schema.string() }, function() return #big end)
ns:on("big", function() local s = ns.state.x or {} ns.state.x = s return collect end)
every(1, function() end)
spawn(function() while true do sleep(1) end end)
route("GET", "/x", function() return 200 end)
)");
    const auto client = test.join();
    const auto memory = [&] {
        test.ask(client, R"(["e",{"a":"x"}])");
        return test.host->stats().at(0).memory_bytes;
    };
    const std::size_t once = memory();
    std::size_t most = 0;
    for (int i = 0; i < 1000; ++i) {
        test.folder.write("lib/big.lua", "local t = {} for i = 1, 2000 do t[i] = { i } end return t--" +
                                             std::to_string(i));
        REQUIRE(test.reload() == Lines{});
        test.advance(1);
        most = std::max(most, memory());
    }
    CHECK(test.host->stats().at(0).generation == 1001);
    // A few generations may wait for the collector at any time; a thousand would be 1000 times.
    CHECK(most < once * 8);
    CHECK(test.reactors[0]->pending_timers() == 2);
}

TEST_CASE("stop ends every timer and coroutine, and clients are refused afterwards") {
    ScriptTest test;
    test.load(R"(
local ns = namespace "/t"
every(1, function() ns:emit("tick") end)
ns:on("wait", function() sleep(5) return 1 end)
ns:on_disconnect(function() error("must not run") end)
)");
    const auto client = test.join();
    client->receive(R"(2/t,1["wait"])");
    test.settle();
    test.host->stop();
    test.settle();
    test.advance(10);
    CHECK(client->take() == Lines{});
    CHECK(test.reactors[0]->pending_timers() == 0);
    CHECK(test.knock("/t")->take() == Lines{R"(4/t,{"message":"server shutting down"})"});
    client->receive(R"(2/t,2["wait"])");
    test.settle();
    CHECK(client->take() == Lines{});
}
