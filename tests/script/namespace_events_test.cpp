#include "tests/script/host_fixture.hpp"
#include "tests/script/log_capture.hpp"

using namespace moonwire;
using namespace moonwire::script;

TEST_CASE("an event's handler gets the arguments and its results are the acknowledgement") {
    ScriptTest test;
    test.load(R"(
local ns = namespace "/t"
ns:on("add", function(socket, a, b) return a + b, { from = socket.id ~= nil } end)
ns:on("nothing", function() end)
ns:on("silent", function() return noack end)
ns:on("null", function() return nil end)
ns:on(7, function() return "seven" end)
)");
    const auto client = test.join();
    CHECK(test.ask(client, R"(["add",1,2])") == R"([3,{"from":true}])");
    CHECK(test.ask(client, R"(["nothing"])") == "[]");
    CHECK(test.ask(client, R"(["silent"])") == "");
    CHECK(test.ask(client, R"(["null"])") == "[null]");
    CHECK(test.ask(client, R"([7])") == R"(["seven"])");
    CHECK(test.ask(client, R"(["unknown"])") == "");
    CHECK_FALSE(client->closed);
}

TEST_CASE("binary arguments and results travel as attachments") {
    ScriptTest test;
    test.load(R"(
local ns = namespace "/t"
ns:on("reverse", function(socket, blob) return bytes(blob.data:reverse()), is_bytes(blob), #blob end)
)");
    const auto client = test.join();
    client->receive(R"(51-/t,3["reverse",{"_placeholder":true,"num":0}])");
    client->receive_binary("abc");
    test.settle();
    CHECK(client->take() == Lines{R"(61-/t,3[{"_placeholder":true,"num":0},true,3])", "b:cba"});
}

TEST_CASE("fail() reaches the client as its acknowledgement, or as an error event") {
    ScriptTest test;
    test.load(R"(
local ns = namespace "/t"
ns:on("no", function() fail("unauthorized", "drivers only", { id = 7 }) end)
ns:on("caught", function()
  local ok, err = pcall(fail, "a", "b", 3)
  return ok, err.code, err.message, err.data, tostring(err)
end)
ns:on("again", function()
  local ok, err = pcall(fail, "a", "b")
  error(err)
end)
)");
    const auto client = test.join();
    CHECK(test.ask(client, R"(["no"])") ==
          R"([{"error":{"code":"unauthorized","message":"drivers only","data":{"id":7}}}])");
    test.send(client, R"(["no"])");
    CHECK(
        client->take() ==
        Lines{R"(2/t,["error",{"code":"unauthorized","message":"drivers only","data":{"id":7}}])"});
    CHECK(test.ask(client, R"(["caught"])") == R"([false,"a","b",3,"a: b"])");
    CHECK(test.ask(client, R"(["again"])") == R"([{"error":{"code":"a","message":"b"}}])");
}

TEST_CASE("a bug is logged with its traceback and the client learns nothing of it") {
    ScriptTest test;
    test.load(R"(
local ns = namespace "/t"
local function deeper(x) return x.y.z end
ns:on("bug", function(socket) deeper({}) end)
ns:on("nan", function() return { fare = 0/0 } end)
ns:on("data", function() fail("x", "y", { f = print or function() end }) end)
ns:on("odd", function() error({}) end)
)");
    const auto client = test.join();
    const std::string internal = R"([{"error":{"code":"internal","message":"internal error"}}])";
    LogCapture log;
    CHECK(test.ask(client, R"(["bug"])") == internal);
    CHECK(log.has("app/main.lua:3: attempt to index field 'y'"));
    CHECK(log.has("stack traceback:"));
    CHECK(log.has("app/main.lua:4: in function"));
    CHECK(log.has("namespace=/t event=bug handler=app/main.lua:4 generation=1"));
    CHECK(test.ask(client, R"(["nan"])") == internal);
    CHECK(log.has("$1.fare: NaN"));
    CHECK(test.ask(client, R"(["data"])") == internal);
    CHECK(log.has("the data of fail()"));
    CHECK(test.ask(client, R"(["odd"])") == internal);
    CHECK(test.host->stats().at(0).handlers_failed == 4);
}

TEST_CASE("a schema is checked before the handler and names the field") {
    ScriptTest test;
    test.load(R"(
local schema = require "schema"
local ns = namespace "/t"
ns:on("at", schema.object { lat = schema.number { min = -90, max = 90 },
                            note = schema.default(schema.string(), "none") },
  function(socket, at) return at.lat, at.note end)
ns:on("two", { schema.string(), schema.default(schema.integer(), 5) },
  function(socket, name, count) return name, count end)
)");
    const auto client = test.join();
    CHECK(test.ask(client, R"(["at",{"lat":1}])") == R"([1,"none"])");
    const std::string bad = test.ask(client, R"(["at",{"lat":100}])");
    CHECK(bad.starts_with(R"([{"error":{"code":"invalid","message":"lat: )"));
    CHECK(bad.ends_with(R"("data":{"path":"lat","rule":"max",)"
                        R"("expected":"a number from -90 to 90","got":"number 100"}}}])"));
    CHECK(test.ask(client, R"(["two","x"])") == R"(["x",5])");
    CHECK(test.ask(client, R"(["two",1])").find(R"("path":"$1")") != std::string::npos);
    CHECK(test.ask(client, R"(["two"])").find(R"("code":"invalid")") != std::string::npos);
    test.send(client, R"(["at",7])");
    CHECK(client->take().at(0).starts_with(R"(2/t,["error",{"code":"invalid")"));
}

TEST_CASE("on_any and use_event see every event before its handler, and fail stops it") {
    ScriptTest test;
    test.load(R"(
local schema = require "schema"
local ns = namespace "/t"
local seen = {}
ns:on_any(function(socket, event, ...) seen[#seen + 1] = "any " .. event .. select("#", ...) end)
ns:use_event(function(socket, event, x)
  sleep(1)
  if x == "stop" then fail("stopped", "no") end
  seen[#seen + 1] = "use " .. event
end)
ns:use_event(function(socket, event) seen[#seen + 1] = "second " .. event end)
ns:on("e", schema.string(), function(socket, x) seen[#seen + 1] = "on " .. x; return seen end)
)");
    const auto client = test.join();
    client->receive(R"(2/t,["other",1,2])");
    client->receive(R"(2/t,1["e","stop"])");
    client->receive(R"(2/t,2["e","go"])");
    client->receive(R"(2/t,3["e",5])");
    client->receive(R"(2/t,4["other"])");
    test.advance(1);
    CHECK(test.answer(client, "1") == R"([{"error":{"code":"stopped","message":"no"}}])");
    CHECK(test.answer(client, "2") ==
          R"([["any other2","any e1","any e1","any e1","any other0","use other","second other",)"
          R"("use e","second e","on go"]])");
    CHECK(test.answer(client, "3").starts_with(R"([{"error":{"code":"invalid")"));
    CHECK(test.answer(client, "4") == "");
}

TEST_CASE("malformed JSON closes the connection, with and without a handler") {
    for (const char* packet : {R"(2/t,["e",{]])", R"(2/t,["unheard",{]])", R"(2/t,1["any")"}) {
        ScriptTest test;
        test.load(R"(namespace("/t"):on("e", function() end))");
        const auto client = test.join();
        client->receive(packet);
        test.settle();
        CHECK(client->closed == engineio::CloseReason::parse_error);
    }
    ScriptTest test;
    test.load(R"(namespace("/t"):on_any(function() end))");
    const auto client = test.join();
    client->receive(R"(2/t,["e",{]])");
    test.settle();
    CHECK(client->closed == engineio::CloseReason::parse_error);
}

TEST_CASE("middleware runs in order, may wait, and refuses with message, code and data") {
    ScriptTest test;
    test.load(R"(
local ns = namespace "/t"
ns:use(function(socket)
  local auth = socket.handshake.auth
  if auth.why == "plain" then fail("unauthorized", "no token") end
  if auth.why == "data" then fail("unauthorized", "no token", { hint = 1 }) end
  if auth.why == "list" then fail("c", "m", json.array { 1 }) end
  if auth.why == "nocode" then fail(nil, "just text") end
  if auth.why == "bug" then error("oops") end
  if auth.why == "wait" then sleep(2) end
  socket.data.user = auth.user
  socket:join("user:" .. tostring(auth.user))
end)
ns:use(function(socket) socket.data.second = socket.data.user ~= nil end)
ns:on_connect(function(socket) socket:emit("welcome", socket.data, socket.rooms) end)
)");
    CHECK(test.knock("/t", R"({"why":"plain"})")->take() ==
          Lines{R"(4/t,{"message":"no token","data":{"code":"unauthorized"}})"});
    CHECK(test.knock("/t", R"({"why":"data"})")->take() ==
          Lines{R"(4/t,{"message":"no token","data":{"code":"unauthorized","hint":1}})"});
    CHECK(test.knock("/t", R"({"why":"list"})")->take() ==
          Lines{R"(4/t,{"message":"m","data":{"code":"c","data":[1]}})"});
    CHECK(test.knock("/t", R"({"why":"nocode"})")->take() ==
          Lines{R"(4/t,{"message":"just text"})"});
    CHECK(test.knock("/t", R"({"why":"bug"})")->take() ==
          Lines{R"(4/t,{"message":"internal error","data":{"code":"internal"}})"});
    const auto in = test.knock("/t", R"({"user":5})")->take();
    REQUIRE(in.size() == 2);
    CHECK(in[0].starts_with("0/t,{\"sid\":"));
    CHECK(in[1].find(R"("user":5)") != std::string::npos);
    CHECK(in[1].find(R"("second":true)") != std::string::npos);
    CHECK(in[1].find("\"user:5\"]") != std::string::npos);

    const auto waiting = test.knock("/t", R"({"why":"wait"})");
    CHECK(waiting->take() == Lines{});
    test.advance(2);
    CHECK(waiting->take().size() == 2);
    const auto gone = test.knock("/t", R"({"why":"wait"})");
    gone->finish();
    test.advance(3);
    CHECK(gone->take() == Lines{});
}

TEST_CASE("an auth that is too large or no JSON is refused") {
    ScriptTest test;
    test.load(R"(namespace("/t"))");
    const auto large = test.knock("/t", "{\"x\":\"" + std::string(70'000, 'x') + "\"}");
    CHECK(large->take() ==
          Lines{R"(4/t,{"message":"auth is too large","data":{"code":"invalid"}})"});
    const auto broken = test.knock("/t", "{broken}");
    CHECK(broken->closed == engineio::CloseReason::parse_error);
}

TEST_CASE("disconnecting still has the rooms, disconnect has not, and both know the reason") {
    ScriptTest test;
    test.load(R"(
local ns = namespace "/t"
ns:on("join", function(socket, room) socket:join(room) end)
ns:on_disconnecting(function(socket, reason)
  ns:emit("leaving", reason, #socket.rooms)
  socket:to("r"):emit("bye")
end)
ns:on_disconnect(function(socket, reason)
  local sent, why = socket:emit("x")
  ns:emit("left", reason, #socket.rooms, sent == nil, why, socket.connected)
  sleep(1)
  ns:emit("late", socket.id ~= nil, socket.nsp, socket.handshake.auth.k, socket.transport, socket.data.d)
end)
ns:on_connect(function(socket) socket.data.d = "kept" end)
)");
    const auto a = test.join("/t", R"({"k":"v"})"), b = test.join();
    test.send(a, R"(["join","r"])");
    test.send(b, R"(["join","r"])");
    a->finish();
    test.settle();
    CHECK(b->take() == Lines{R"(2/t,["leaving","transport close",2])", R"(2/t,["bye"])",
                             R"(2/t,["left","transport close",0,true,"disconnected",false])"});
    test.advance(1);
    CHECK(b->take() == Lines{R"(2/t,["late",true,"/t","v","websocket","kept"])"});
}

TEST_CASE("a family shares one state; each member has its name and parameters") {
    ScriptTest test;
    test.load(R"(
local ns = namespace "/tenant/:name"
ns:on("who", function(socket) ns.state.n = (ns.state.n or 0) + 1
  return socket.nsp, socket.params.name, ns.state.n end)
ns:on("all", function(socket) ns:emit("hello", socket.nsp); return ns:count() end)
ns:on("mine", function(socket) socket:broadcast():emit("near") end)
)");
    const auto a = test.join("/tenant/a"), a2 = test.join("/tenant/a"), b = test.join("/tenant/b");
    CHECK(test.ask(a, R"(["who"])", "/tenant/a") == R"(["/tenant/a","a",1])");
    CHECK(test.ask(b, R"(["who"])", "/tenant/b") == R"(["/tenant/b","b",2])");
    CHECK(test.ask(b, R"(["all"])", "/tenant/b") == "[3]");
    CHECK(a->take() == Lines{R"(2/tenant/a,["hello","/tenant/b"])"});
    CHECK(b->take() == Lines{R"(2/tenant/b,["hello","/tenant/b"])"});
    a2->take();
    test.send(a, R"(["mine"])", "/tenant/a");
    CHECK(a2->take() == Lines{R"(2/tenant/a,["near"])"});
    CHECK(a->take() == Lines{});
    CHECK(b->take() == Lines{});
}

TEST_CASE("over the limit of coroutines an event is answered busy, and later ones work again") {
    ScriptTest test;
    test.options.limits.tasks = 3;
    test.load(R"(
local ns = namespace "/t"
ns:on("wait", function() sleep(10) return "done" end)
ns:use(function(socket) if socket.handshake.auth.w then sleep(10) end end)
)");
    const auto client = test.join();
    for (int i = 1; i <= 3; ++i) client->receive("2/t," + std::to_string(i) + R"(["wait"])");
    test.settle();
    const std::string busy = R"({"code":"busy","message":"too many handlers are waiting"})";
    CHECK(test.ask(client, R"(["wait"])") == "[{\"error\":" + busy + "}]");
    test.send(client, R"(["wait"])");
    CHECK(client->take() == Lines{"2/t,[\"error\"," + busy + "]"});
    CHECK(test.knock("/t")->take() ==
          Lines{R"(4/t,{"message":"too many handlers are waiting","data":{"code":"busy"}})"});
    CHECK(test.host->stats().at(0).coroutines == 3);
    test.advance(10);
    CHECK(client->take().size() == 3);
    client->receive(R"(2/t,9["wait"])");
    test.advance(10);
    CHECK(client->take() == Lines{R"(3/t,9["done"])"});
    CHECK(test.host->stats().at(0).coroutines == 0);
}

TEST_CASE("running out of memory fails the handler, not the namespace") {
    ScriptTest test;
    test.options.limits.memory_bytes = 4u << 20;
    test.load(R"(
local ns = namespace "/t"
ns:on("eat", function() local t = {} for i = 1, 1e7 do t[i] = { i } end end)
ns:on("ok", function() return 1 end)
ns:on("take", function(socket, x) return #x end)
)");
    const auto client = test.join();
    LogCapture log;
    for (int i = 0; i < 5; ++i) {
        CHECK(test.ask(client, R"(["eat"])").find("internal") != std::string::npos);
        CHECK(test.ask(client, R"(["ok"])") == "[1]");
    }
    CHECK(log.has("not enough memory"));
    // A payload that does not fit is not the client's mistake either.
    std::string numbers = "[1";
    for (int i = 0; i < 600'000; ++i) numbers += ",1";
    CHECK(test.ask(client, "[\"take\"," + numbers + "]]").find("internal") != std::string::npos);
    CHECK_FALSE(client->closed);
    CHECK(test.ask(client, R"(["ok"])") == "[1]");
}

TEST_CASE("what failed for want of memory is collected before the next event, to the last byte") {
    ScriptTest test;
    test.options.limits.memory_bytes = 4u << 20;
    test.load(R"(
local ns = namespace "/t"
-- Small values at last: nothing is left to spare.
ns:on("fill", function(socket, size)
  local t = {}
  for i = 1, 1e9 do t[i] = ("x"):rep(size) .. i end
end)
ns:on("ok", function() return 1 end)
)");
    const auto client = test.join();
    LogCapture log;
    for (const std::string size : {"1000", "100", "10", "3000", "1"}) {
        CHECK(test.ask(client, "[\"fill\"," + size + "]").find("internal") != std::string::npos);
        CHECK(test.ask(client, R"(["ok"])") == "[1]");
    }
}

TEST_CASE("more arguments than a handler can take fail, and leave the connection open") {
    ScriptTest test;
    test.load(R"(namespace("/t"):on("e", function(socket, ...) return select("#", ...) end))");
    const auto client = test.join();
    std::string packet = "[\"e\"";
    for (int i = 0; i < 150; ++i) packet += ",1";
    CHECK(test.ask(client, packet + "]") == "[150]");
    for (int i = 0; i < 500; ++i) packet += ",1";
    LogCapture log;
    CHECK(test.ask(client, packet + "]").find("internal") != std::string::npos);
    CHECK_FALSE(client->closed);
}

TEST_CASE("endless recursion, in Lua and through C, is an error of the handler only") {
    ScriptTest test;
    test.options.limits.handler = std::chrono::seconds(30);  // the stack ends first
    test.load(R"(
local ns = namespace "/t"
local function plain() return 1 + plain() end
local function through_gsub(s) return (s:gsub(".", through_gsub)) end
local function through_sort() table.sort({3, 2, 1}, function() through_sort() return false end) end
local function through_pcall() return select(2, pcall(through_pcall)) end
local speaker = setmetatable({}, {})
getmetatable(speaker).__tostring = function() return (tostring(speaker)) end
local cases = { plain = plain, gsub = function() through_gsub("a") end, sort = through_sort,
  tostring = function() tostring(speaker) end }
ns:on("dig", function(socket, how) cases[how]() end)
ns:on("pcall", function() through_pcall() return "survived" end)
)");
    const auto client = test.join();
    LogCapture log;
    for (const char* how : {"plain", "gsub", "sort", "tostring"}) {
        CAPTURE(how);
        const std::string answer = test.ask(client, std::string(R"(["dig",")") + how + "\"]");
        CHECK_MESSAGE(answer.find("internal") != std::string::npos, answer);
    }
    CHECK(test.ask(client, R"(["pcall"])") != "");
}
