// Errors on their way through coroutines: the log says where they happened, and who began it.
#include "tests/script/fake_http.hpp"
#include "tests/script/host_fixture.hpp"
#include "tests/script/log_capture.hpp"

using namespace moonwire;
using namespace moonwire::script;

TEST_CASE("an error inside gather is logged with where it happened and where it was gathered") {
    ScriptTest test;
    test.load(R"(
local ns = namespace "/t"
local function inner() error("deep") end
local function middle() sleep(1) inner() end
ns:on("e", function()
  gather(function() end, function() middle() end)
end)
ns:on("nested", function()
  gather(function() gather(middle) end)
end)
)");
    const auto client = test.join();
    {
        LogCapture log;
        client->receive(R"(2/t,1["e"])");
        test.advance(1);
        CHECK(test.answer(client, "1").find("internal") != std::string::npos);
        const std::string text = log.text();
        const auto where = text.find("app/main.lua:3: deep");
        const auto inner = text.find("app/main.lua:3: in function");
        const auto middle = text.find("app/main.lua:4: in function");
        const auto again = text.find("raised again in");
        const auto outer = text.find("app/main.lua:6: in function", again);
        CHECK_MESSAGE((where < inner && inner < middle && middle < again && again < outer &&
                       outer != std::string::npos),
                      text);
        CHECK(log.has("event=e"));
    }
    LogCapture log;
    client->receive(R"(2/t,2["nested"])");
    test.advance(1);
    const std::string text = log.text();
    CHECK(text.find("app/main.lua:3: in function") < text.find("app/main.lua:9: in function"));
    CHECK(text.find("app/main.lua:9: in function") != std::string::npos);
}

TEST_CASE("an error of gather that a script catches is the plain error") {
    ScriptTest test;
    test.load(R"(
local ns = namespace "/t"
ns:on("e", function()
  local ok, err = pcall(gather, function() sleep(1) error("one") end)
  local ok2, err2 = pcall(ns.lock, ns, "k", function() error({ x = 1 }) end)
  error("another, after " .. err .. err2.x)
end)
)");
    const auto client = test.join();
    LogCapture log;
    client->receive(R"(2/t,1["e"])");
    test.advance(1);
    CHECK(log.has("app/main.lua:6: another, after app/main.lua:4: one1"));
    CHECK(!log.has("raised again"));
}

TEST_CASE("an error that was caught does not explain another's that reads the same") {
    ScriptTest test;
    test.load(R"(
local ns = namespace "/t"
local function broken() error("oops") end
ns:on("caught", function() pcall(function() ns:lock("k", broken) end) end)
ns:on("direct", function() broken() end)
)");
    const auto client = test.join();
    LogCapture log;
    test.send(client, R"(["caught"])");
    CHECK(test.ask(client, R"(["direct"])").find("internal") != std::string::npos);
    CHECK(log.has("app/main.lua:5: in function"));
    CHECK(!log.has("app/main.lua:4: in function"));
}

TEST_CASE("fail() inside gather and lock keeps its code and data") {
    ScriptTest test;
    test.load(R"(
local ns = namespace "/t"
ns:on("e", function()
  gather(function() ns:lock("k", function() sleep(1) fail("conflict", "taken", { by = 7 }) end) end)
end)
)");
    const auto client = test.join();
    client->receive(R"(2/t,1["e"])");
    test.advance(1);
    CHECK(client->take() ==
          Lines{R"(3/t,1[{"error":{"code":"conflict","message":"taken","data":{"by":7}}}])"});
}

TEST_CASE("errors of what was spawned or timed tell the chain that started it") {
    ScriptTest test;
    test.load(R"(
local ns = namespace "/t"
every(10, function()
  after(1, function()
    spawn(function()
      error("here")
    end)
  end)
end)
cron("* * * * *", function() gather(function() spawn(function() error("there") end) end) end)
)");
    LogCapture log;
    test.advance(11);
    CHECK_MESSAGE(log.has("started by:\n\tspawn at app/main.lua:5\n\tafter at app/main.lua:4\n"
                          "\tevery at app/main.lua:3"),
                  log.text());
    CHECK(log.has("app/main.lua:6: here"));
    CHECK(log.has("app/main.lua:6: in function <app/main.lua:5>"));
    test.advance(60);
    CHECK_MESSAGE(log.has("started by:\n\tspawn at app/main.lua:10\n\tgather at app/main.lua:10\n"
                          "\tcron at app/main.lua:10"),
                  log.text());
}

TEST_CASE("an endless chain of spawns keeps a chain of bounded length") {
    ScriptTest test;
    test.load(R"(
local ns = namespace "/t"
local n = 0
local function again() n = n + 1 if n == 100 then error("end") end spawn(again) end
ns:on("go", function() spawn(again) end)
)");
    const auto client = test.join();
    LogCapture log;
    test.send(client, R"(["go"])");
    for (int i = 0; i < 100; ++i) test.settle();
    const std::string text = log.text();
    std::size_t origins = 0;
    for (std::size_t at = 0; (at = text.find("\tspawn at", at)) != std::string::npos; ++at)
        ++origins;
    CHECK(origins > 0);
    CHECK(origins <= 16);
}

TEST_CASE("errors of asked functions are logged where they happened, with who asked") {
    ScriptTest test;
    test.folder.write("a.lua", R"(
local ns = namespace "/a"
ns:on("e", function()
  local _, why = ask("/b", "bug")
  return null, why
end)
)");
    test.folder.write("b.lua", R"(
local ns = namespace "/b"
ns:serve("bug", function() sleep(1)
  error("oops")
end)
)");
    test.load();
    const auto client = test.join("/a");
    LogCapture log;
    client->receive(R"(2/a,1["e"])");
    test.advance(1);
    CHECK(client->take() == Lines{R"(3/a,1[null,"app/b.lua:4: oops"])"});
    CHECK(log.has("app/b.lua:4: in function <app/b.lua:3>"));
    CHECK_MESSAGE(log.has("started by:\n\task (in /a) at app/a.lua:4"), log.text());
}

TEST_CASE("an error after http.request is a handler's like any other") {
    FakeHttp http;
    ScriptTest test;
    test.options.http = &http;
    test.load(R"(
local ns = namespace "/t"
ns:on("e", function()
  local response = http.request { url = "http://x" }
  return response.missing.field
end)
)");
    const auto client = test.join();
    LogCapture log;
    client->receive(R"(2/t,1["e"])");
    test.settle();
    http.answer(IncomingResponse{200, {}, ""});
    CHECK(test.answer(client, "1").find("internal") != std::string::npos);
    CHECK(log.has("app/main.lua:5: "));
}

TEST_CASE("what waits for a socket that leaves ends, and its methods say so") {
    ScriptTest test;
    test.load(R"(
local ns = namespace "/t"
local seen
ns:on("wait", function(socket)
  local replies = { gather(
    function() return { socket:timeout(100):call("q") } end,
    function() return { socket:call("q") } end) }
  local function why(...) return (select(2, ...)) end
  seen = { replies[1][2], replies[2][2], why(socket:emit("x")), why(socket:join("r")), why(socket:leave("r")),
           why(socket:call("q")), why(socket:disconnect()), socket.connected }
end)
ns:on("seen", function() return unpack(seen) end)
)");
    const auto gone = test.join(), client = test.join();
    test.send(gone, R"(["wait"])");
    gone->finish();
    test.settle();
    CHECK(test.ask(client, R"(["seen"])") ==
          R"(["disconnected","disconnected","disconnected","disconnected","disconnected",)"
          R"("disconnected","disconnected",false])");
}

TEST_CASE("a reload ends the old generation's waits in the background and leaves its handlers'") {
    ScriptTest test;
    test.load(R"(
local ns = namespace "/t"
spawn(function() gather(function() sleep(5) ns:emit("never") end) ns:emit("never") end)
every(1, function() ns:lock("k", function() sleep(5) ns:emit("never") end) end)
ns:on("wait", function() return gather(function() sleep(5) return 1 end) end)
)");
    const auto client = test.join();
    client->receive(R"(2/t,1["wait"])");
    test.advance(2);
    CHECK(test.reload("namespace '/t'") == Lines{});
    test.advance(10);
    CHECK(client->take() == Lines{"3/t,1[1]"});
    CHECK(test.host->stats().at(0).coroutines == 0);
}
