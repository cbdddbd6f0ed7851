#include "tests/script/host_fixture.hpp"
#include "tests/script/log_capture.hpp"

using namespace moonwire;
using namespace moonwire::script;

TEST_CASE("a script's environment holds what the API lists and nothing else") {
    ScriptTest test;
    test.load(R"(
local ns = namespace "/t"
local function names(t)
  local list = {}
  for name in pairs(t) do list[#list + 1] = name end
  table.sort(list)
  return table.concat(list, " ")
end
ns:on("names", function()
  return names(_G), names(os), names(log), names(string), getmetatable(_G), getmetatable("")
end)
)");
    const auto client = test.join();
    CHECK(
        test.ask(client, R"(["names"])") ==
        R"(["_G _VERSION after ask assert bit bytes cron env error every fail gather getmetatable http ipairs )"
        R"(is_bytes iso_time json log math metrics namespace namespace_of next noack now null on_request on_suspicious os pairs )"
        R"(pcall rawequal rawget require route select setmetatable setting sleep spawn string table tonumber )"
        R"(tostring type unpack uuid xpcall","clock date time","debug error info warn",)"
        R"("byte char find format gmatch gsub len lower match rep reverse sub upper",)"
        R"("globals","string"])");
}

TEST_CASE("a handler can't make a global that no file declared, and says which it was") {
    ScriptTest test;
    test.folder.write("lib/m.lua", "from_module = 1 return {}");
    test.load(R"(
local ns = namespace "/t"
counter = 0
emptied = nil
ns:on("ok", function() counter = counter + 1 emptied = nil emptied = 5 require "lib.m" from_module = 2
  return counter, emptied, from_module end)
ns:on("typo", function() return pcall(function() conter = 1 end) end)
ns:on("meta", function() return pcall(setmetatable, {}, { __metatable = 1 }) end)
)");
    const auto client = test.join();
    CHECK(test.ask(client, R"(["ok"])") == "[1,5,2]");
    CHECK(test.ask(client, R"(["typo"])").find("global 'conter' was not declared") !=
          std::string::npos);
}

TEST_CASE("the socket's fields are what the handshake said, and typing errors are errors") {
    ScriptTest test;
    test.load(R"(
local ns = namespace "/t"
ns:on("all", function(socket)
  local h = socket.handshake
  return socket.nsp, socket.transport, socket.latency, socket.recovered, socket.connected,
    h.headers["user-agent"], h.query.token, h.auth.k, h.address, h.secure, h.xdomain, h.issued, h.time, h.url,
    socket.handshake == socket.handshake, #socket.rooms, socket.rooms[1] == socket.id, socket.params
end)
ns:on("field", function(socket, name) return pcall(function() return socket[name] end) end)
ns:on("set", function(socket) return pcall(function() socket.id = 1 end) end)
ns:on("setdata", function(socket) socket.data = { a = 1 } socket.data.b = 2
  local ok, err = pcall(function() socket.data = 1 end)
  return socket.data, err end)
ns:on("key", function(socket) keys = keys or {} end)
ns:on("meta", function(socket) return getmetatable(socket), tostring(socket) == "socket " .. socket.id end)
)");
    const auto client = test.join("/t", R"({"k":[1,null]})");
    CHECK(
        test.ask(client, R"(["all"])") ==
        R"(["/t","websocket",0.02,false,true,"test","q1",[1,null],"10.0.0.1",false,false,1700000000,)"
        R"("2023-11-14T22:13:20.000Z","/socket.io/?token=q1",true,1,true,{}])");
    CHECK(test.ask(client, R"(["field","typo"])").find("socket has no field 'typo'") !=
          std::string::npos);
    CHECK(test.ask(client, R"(["set"])").find("socket.id can't be set") != std::string::npos);
    CHECK(test.ask(client, R"(["setdata"])").starts_with(R"([{)"));
    CHECK(test.ask(client, R"(["meta"])") == R"(["socket",true])");
}

TEST_CASE("a socket is one value: usable as a key, and what left still answers") {
    ScriptTest test;
    test.load(R"(
local ns = namespace "/t"
local seen = {}
ns:on_connect(function(socket) seen[socket] = (seen[socket] or 0) + 1 end)
ns:on("count", function(socket) seen[socket] = seen[socket] + 1 return seen[socket] end)
ns:on("slow", function(socket)
  sleep(5)
  local id = socket.id
  local a, b = socket:emit("x")
  local c, d = socket:join("r")
  local e, f = socket:timeout(1):call("y")
  local g, h = socket:leave("r")
  local i, j = socket:disconnect()
  local k, l = socket:volatile():emit("z")
  ns:emit("report", seen[socket], b, d, f, h, j, l, a == nil and c == nil and e == nil)
  socket:broadcast():emit("still")
end)
)");
    const auto a = test.join(), b = test.join();
    CHECK(test.ask(a, R"(["count"])") == "[2]");
    test.send(a, R"(["slow"])");
    a->finish();
    test.advance(5);
    CHECK(b->take() ==
          Lines{R"(2/t,["report",2,"disconnected","disconnected","disconnected","disconnected",)"
                R"("disconnected","disconnected",true])",
                R"(2/t,["still"])"});
}

TEST_CASE("chains are immutable and reach whom they name") {
    ScriptTest test;
    test.load(R"(
local ns = namespace "/t"
local r
ns:on_connect(function(socket) socket:join("all", { "x", "y" }, 7) end)
ns:on("leave", function(socket, room) socket:leave(room) end)
ns:on("go", function(socket)
  r = r or ns:to("x")
  local both = r:to("y")
  local without = both:except(socket.id)
  both:emit("both")
  without:emit("without")
  r:emit("x")
  ns:except("x"):emit("not x")
  ns:to({ "x", "nobody" }):to(7):volatile():compress(true):timeout(1):here():emit("chained")
  socket:except("y"):emit("not y, not me")
  socket:broadcast():to("y"):emit("others in y")
  socket:volatile():emit("volatile")
  return ns:count(), r:count(), both:count(), without:count(), #ns:fetch(), ns:to("y"):fetch()[1].nsp
end)
)");
    const auto a = test.join(), b = test.join(), c = test.join();
    test.send(b, R"(["leave","y"])");
    test.send(c, R"(["leave","x"])");
    CHECK(test.ask(a, R"(["go"])") == R"([3,2,3,2,3,"/t"])");
    CHECK(a->take() ==
          Lines{R"(2/t,["both"])", R"(2/t,["x"])", R"(2/t,["chained"])", R"(2/t,["volatile"])"});
    CHECK(b->take() == Lines{R"(2/t,["both"])", R"(2/t,["without"])", R"(2/t,["x"])",
                             R"(2/t,["chained"])", R"(2/t,["not y, not me"])"});
    CHECK(c->take() == Lines{R"(2/t,["both"])", R"(2/t,["without"])", R"(2/t,["not x"])",
                             R"(2/t,["chained"])", R"(2/t,["others in y"])"});
}

TEST_CASE("a chain joins, leaves and disconnects in bulk") {
    ScriptTest test;
    test.load(R"(
local ns = namespace "/t"
ns:on("go", function(socket)
  ns:join("a")
  ns:except(socket.id):join({ "b", "c" })
  local n = ns:to("b"):count()
  ns:to("b"):leave("c")
  return ns:to("a"):count(), n, ns:to("c"):count()
end)
ns:on("kick", function(socket) ns:except(socket.id):disconnect() return "kicked" end)
ns:on("me", function(socket) socket:disconnect(true) end)
ns:on_disconnect(function(socket, reason) ns:emit("gone", reason) end)
)");
    const auto a = test.join(), b = test.join();
    CHECK(test.ask(a, R"(["go"])") == "[2,1,0]");
    CHECK(test.ask(a, R"(["kick"])") == R"(["kicked"])");
    CHECK(a->take() == Lines{R"(2/t,["gone","server namespace disconnect"])"});
    CHECK(b->take() == Lines{"1/t,"});
    CHECK_FALSE(b->closed);
    test.send(a, R"(["me"])");
    CHECK(a->closed);
}

TEST_CASE("what can't be sent is an error that names the path, and names no event") {
    ScriptTest test;
    test.load(R"(
local ns = namespace "/t"
ns:on("try", function(socket)
  local out = {}
  for i, f in ipairs({
    function() socket:emit("e", { a = { b = 0/0 } }) end,
    function() socket:emit("e", function() end) end,
    function() socket:emit("") end,
    function() socket:emit("disconnect") end,
    function() ns:to():emit("e") end,
    function() ns:to({}):emit("e") end,
    function() ns:to({ {} }):emit("e") end,
    function() ns.emit("e") end,
    function() ns:typo() end,
    function() socket:fetch() end,
    function() ns:timeout(-1) end,
    function() namespace_of("x") end,
    function() socket.join(ns, "x", true) end,
  }) do
    local ok, err = pcall(f)
    out[i] = ok and "fine" or err:gsub("^[^ ]* ", "")
  end
  return out
end)
)");
    const auto client = test.join();
    const std::string said = test.ask(client, R"(["try"])");
    CAPTURE(said);
    CHECK(said.find("fine") == std::string::npos);
    for (const char* part : {"$1.a.b: NaN", "$1: ", "'' is no name", "'disconnect' is no name",
                             "a room is a string, not a table", "at least one room",
                             "namespace has no field 'typo'", "seconds", "starts with '/'"})
        CHECK_MESSAGE(said.find(part) != std::string::npos, part);
    CHECK(client->take() == Lines{});
}

TEST_CASE("a call on a broadcast gathers the replies, or what came in time") {
    ScriptTest test;
    test.load(R"(
local ns = namespace "/t"
ns:on("ask", function(socket, seconds)
  local chain = socket:broadcast()
  if seconds then chain = chain:timeout(seconds) end
  return chain:call("q", 5)
end)
ns:on("nobody", function(socket) return ns:to("empty"):call("q") end)
)");
    const auto a = test.join(), b = test.join(), c = test.join();
    const auto id_of = [](const ClientPtr& client) {
        const std::string line = client->take().at(0);
        return line.substr(4, line.find('[') - 4);
    };
    a->receive(R"(2/t,1["ask"])");
    test.settle();
    b->receive("3/t," + id_of(b) + R"(["b",1])");
    c->receive("3/t," + id_of(c) + "[]");
    test.settle();
    CHECK(a->take() == Lines{R"(3/t,1[["b",null]])"});

    a->receive(R"(2/t,2["ask",3])");
    test.settle();
    b->receive("3/t," + id_of(b) + R"([{"x":2}])");
    c->take();
    test.advance(3);
    CHECK(a->take() == Lines{R"(3/t,2[[{"x":2}],"timeout"])"});

    a->receive(R"(2/t,3["ask"])");
    test.advance(10);
    CHECK(a->take() == Lines{R"(3/t,3[[],"timeout"])"});
    CHECK(test.ask(a, R"(["nobody"])") == "[[]]");
}

TEST_CASE("a call to one socket ends with values, a timeout, or its leaving, once") {
    ScriptTest test;
    test.load(R"(
local ns = namespace "/t"
ns:on("who", function(socket, id)
  local other = ns:to(id):fetch()[1]
  return other:timeout(2):call("q")
end)
ns:on("forever", function(socket) return socket:call("q") end)
ns:on("id", function(socket) return socket.id end)
)");
    const auto a = test.join(), b = test.join();
    std::string id = test.ask(b, R"(["id"])");
    id = id.substr(1, id.size() - 2);
    const auto ack_id = [](const ClientPtr& client) {
        const std::string line = client->take().at(0);
        return line.substr(4, line.find('[') - 4);
    };
    a->receive("2/t,1[\"who\"," + id + "]");
    test.settle();
    std::string ack = ack_id(b);
    b->receive("3/t," + ack + R"([1,[2]])");
    b->receive("3/t," + ack + R"(["again"])");
    test.advance(3);
    CHECK(a->take() == Lines{"3/t,1[1,[2]]"});
    a->receive("2/t,2[\"who\"," + id + "]");
    test.settle();
    ack = ack_id(b);
    test.advance(2);
    b->receive("3/t," + ack + R"(["late"])");
    test.settle();
    CHECK(a->take() == Lines{R"(3/t,2[null,"timeout"])"});
    a->receive("2/t,3[\"who\"," + id + "]");
    test.settle();
    b->finish();
    test.settle();
    CHECK(a->take() == Lines{R"(3/t,3[null,"disconnected"])"});

    // A broken acknowledgement closes its sender, and the handler is not left hanging.
    const auto c = test.join();
    c->receive(R"(2/t,4["forever"])");
    test.settle();
    c->receive("3/t," + ack_id(c) + "[{]");
    test.settle();
    CHECK(c->closed == engineio::CloseReason::parse_error);
    CHECK(test.host->stats().at(0).coroutines == 0);
}

TEST_CASE("log lines carry the namespace, the generation, the rest and the fields") {
    ScriptTest test;
    test.load(R"(
local ns = namespace "/t"
ns:on("log", function(socket)
  log.info("bye", "now", 5, nil, true, null, { user = "u 1", n = 3, list = { 1, 2 }, ["bad name="] = 1, f = log.info })
  log.warn("forged\nline error x")
  log.error({})
  log.debug("hidden")
end)
)");
    const auto client = test.join();
    LogCapture log;
    test.ask(client, R"(["log"])");
    CHECK(log.has("info bye now 5 nil true null namespace=/t generation=1"));
    CHECK(log.has("user=\"u 1\""));
    CHECK(log.has("n=3"));
    CHECK(log.has("list=[1,2]"));
    CHECK(log.has("bad_name_=1"));
    CHECK(log.has("f=function"));
    CHECK(log.has("warn forged line error x"));
    CHECK_FALSE(log.has("hidden"));
}

TEST_CASE("time, identifiers, the environment and settings can be read while loading, too") {
    ScriptTest test;
    test.settings = {{"search.radius", "12.5"}, {"list", "[1,2]"}, {"name", "\"x\""}};
    setenv("MOONWIRE_TEST_VARIABLE", "value", 1);
    test.load(R"(
local ns = namespace "/t"
local at_load = { setting("search.radius"), env("MOONWIRE_TEST_VARIABLE"), #uuid(), now() > 1.6e9 }
ns:on("e", function()
  return at_load, setting("list"), setting("name", "d"), setting("none", "d"), setting("none") == nil,
    env("MOONWIRE_NO_SUCH", "fallback"), env("MOONWIRE_NO_SUCH") == nil, iso_time(0), iso_time(1.5), #iso_time(),
    uuid() ~= uuid(), pcall(iso_time, 1e300)
end)
ns:on("values", function(socket, n)
  return null, json.array {}, json.decode("[[],{}]"), json.encode({ a = 1 }), type(n), n == null
end)
)");
    const auto client = test.join();
    const std::string said = test.ask(client, R"(["e"])");
    CHECK(said.starts_with(
        R"([[12.5,"value",36,true],[1,2],"x","d",true,"fallback",true,"1970-01-01T00:00:00.000Z",)"
        R"("1970-01-01T00:00:01.500Z",24,true,false,)"));
    CHECK(test.ask(client, R"(["values",null])") ==
          R"([null,[],[[],{}],"{\"a\":1}","userdata",true])");
}
