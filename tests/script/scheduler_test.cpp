#include "tests/script/host_fixture.hpp"
#include "tests/script/log_capture.hpp"

using namespace moonwire;
using namespace moonwire::script;

TEST_CASE("sleep suspends one handler while others run") {
    ScriptTest test;
    test.load(R"(
local ns = namespace "/t"
ns:on("slow", function() sleep(3) return "slow" end)
ns:on("fast", function() return "fast" end)
ns:on("zero", function() sleep(0) return "zero" end)
ns:on("bad", function(socket, s) local ok, err = pcall(sleep, s) return ok, err end)
ns:on("worse", function() return pcall(sleep, 0/0), pcall(sleep, math.huge), (pcall(sleep, 1e9)) end)
)");
    const auto client = test.join();
    client->receive(R"(2/t,1["slow"])");
    CHECK(test.ask(client, R"(["fast"])") == R"(["fast"])");
    CHECK(client->take() == Lines{});
    test.advance(3);
    CHECK(client->take() == Lines{R"(3/t,1["slow"])"});
    client->receive(R"(2/t,2["zero"])");
    test.advance(0);
    CHECK(client->take() == Lines{R"(3/t,2["zero"])"});
    CHECK(test.ask(client, R"(["bad",-1])").starts_with("[false,"));
    CHECK(test.ask(client, R"(["worse"])").find("true") == std::string::npos);
}

TEST_CASE("after fires once, every repeats without overlapping itself, cancel ends both") {
    ScriptTest test;
    test.load(R"(
local ns = namespace "/t"
after(2, function() ns:emit("once") end)
local ticks = 0
local beat = every(1, function() ticks = ticks + 1 ns:emit("tick", ticks) if ticks == 2 then sleep(2.5) end end)
ns:on("stop", function() return beat:cancel(), beat:cancel() end)
local never = after(1, function() ns:emit("never") end)
never:cancel()
)");
    const auto client = test.join();
    test.advance(1);
    CHECK(client->take() == Lines{R"(2/t,["tick",1])"});
    test.advance(1);
    CHECK(client->take() == Lines{R"(2/t,["once"])", R"(2/t,["tick",2])"});
    test.advance(2);
    CHECK(client->take() == Lines{});
    test.advance(1);
    CHECK(client->take() == Lines{R"(2/t,["tick",3])"});
    CHECK(test.ask(client, R"(["stop"])") == "[true,false]");
    test.advance(5);
    CHECK(client->take() == Lines{});
}

TEST_CASE("every catches up to the present instead of firing what it missed") {
    ScriptTest test;
    test.load(R"(
local ns = namespace "/t"
every(1, function() ns:emit("tick") end)
)");
    const auto client = test.join();
    test.advance(3);
    CHECK(client->take().size() == 3);
}

TEST_CASE("timers over the limit are an error in the script, which names the limit") {
    ScriptTest test;
    test.options.limits.timers = 5;
    test.load(R"(
local ns = namespace "/t"
ns:on("fill", function()
  local made = 0
  local ok, err
  repeat ok, err = pcall(after, 1, function() end) if ok then made = made + 1 end until not ok
  return made, err
end)
)");
    const auto client = test.join();
    CHECK(test.ask(client, R"(["fill"])").starts_with(R"([5,")"));
    CHECK(test.ask(client, R"(["fill"])").find("the limit is 5") != std::string::npos);
    test.advance(1);
    CHECK(test.ask(client, R"(["fill"])").starts_with(R"([5,")"));
}

TEST_CASE("a timer's error is logged and the timer goes on") {
    ScriptTest test;
    test.load(R"(
local ns = namespace "/t"
local n = 0
every(1, function() n = n + 1 if n == 1 then error("first") end if n == 2 then fail("c", "second") end
  ns:emit("third") end)
)");
    const auto client = test.join();
    LogCapture log;
    test.advance(3);
    CHECK(log.has("app/main.lua:4: first"));
    CHECK(log.has("second"));
    CHECK(client->take() == Lines{R"(2/t,["third"])"});
}

TEST_CASE(
    "spawn runs beside its handler, at load too, and an endless chain of it holds nobody up") {
    ScriptTest test;
    test.load(R"(
local ns = namespace "/t"
spawn(function() while true do sleep(1) ns:emit("loop") end end)
local stopped = false
local function forever() if not stopped then spawn(forever) end end
ns:on("go", function() spawn(function() ns:emit("spawned") end) return "first" end)
ns:on("chain", function() spawn(forever) end)
ns:on("stop", function() stopped = true end)
)");
    const auto client = test.join();
    test.advance(2);
    CHECK(client->take().size() == 2);
    client->receive(R"(2/t,1["go"])");
    test.settle();
    CHECK(client->take() == Lines{R"(3/t,1["first"])", R"(2/t,["spawned"])"});
    // The chain takes a turn of the loop for each link, so the event gets its turn.
    client->receive(R"(2/t,["chain"])");
    client->receive(R"(2/t,["stop"])");
    test.settle();
}

TEST_CASE("gather waits for all and returns the first results in order") {
    ScriptTest test;
    test.load(R"(
local ns = namespace "/t"
ns:on("three", function()
  return gather(function() sleep(3) return "a", "lost" end, function() return nil end,
                function() sleep(1) return { 1 } end)
end)
ns:on("error", function()
  gather(function() sleep(2) error("later") end, function() sleep(1) fail("first", "one") end,
         function() sleep(3) ns:emit("all ran") end)
end)
ns:on("nested", function()
  return gather(function() return gather(function() sleep(1) return 1 end) end,
                function() return (select(2, gather(function() end, function() return 2 end))) end)
end)
ns:on("none", function() return gather() end)
ns:on("no", function() gather(1) end)
)");
    const auto client = test.join();
    client->receive(R"(2/t,1["three"])");
    test.advance(3);
    CHECK(client->take() == Lines{R"(3/t,1["a",null,[1]])"});
    client->receive(R"(2/t,2["error"])");
    test.advance(2.5);
    CHECK(client->take() == Lines{});
    test.advance(1);
    CHECK(client->take() ==
          Lines{R"(2/t,["all ran"])", R"(3/t,2[{"error":{"code":"first","message":"one"}}])"});
    client->receive(R"(2/t,3["nested"])");
    test.advance(1);
    CHECK(client->take() == Lines{"3/t,3[1,2]"});
    CHECK(test.ask(client, R"(["none"])") == "[]");
    LogCapture log;
    CHECK(test.ask(client, R"(["no"])").find("internal") != std::string::npos);
    CHECK(test.host->stats().at(0).coroutines == 0);
}

TEST_CASE("gather over the limit of coroutines raises, and what ran before does no harm") {
    ScriptTest test;
    test.options.limits.tasks = 4;
    test.load(R"(
local ns = namespace "/t"
local function work() sleep(1) end
ns:on("g", function()
  local ok, err = pcall(gather, work, work, work, work)
  sleep(5)
  return ok, err
end)
)");
    const auto client = test.join();
    client->receive(R"(2/t,1["g"])");
    test.advance(2);
    CHECK(client->take() == Lines{});
    test.advance(3);
    CHECK(test.answer(client, "1") == R"([false,"gather: too many handlers are waiting"])");
    CHECK(test.host->stats().at(0).coroutines == 0);
}

TEST_CASE("waiting where it is impossible says why, and harms nothing") {
    ScriptTest test;
    test.load(R"(
local ns = namespace "/t"
ns:on("sort", function()
  local ok, err = pcall(table.sort, {3, 1, 2}, function(a, b) sleep(1) return a < b end)
  sleep(2)
  return ok, err
end)
ns:on("gsub", function() return pcall(string.gsub, "abc", ".", function() sleep(1) end) end)
)");
    const auto client = test.join();
    client->receive(R"(2/t,1["sort"])");
    test.advance(1);
    CHECK(client->take() == Lines{});
    test.advance(1);
    CHECK(test.answer(client, "1").find("can't be used inside a callback") != std::string::npos);
    CHECK(test.ask(client, R"(["gsub"])").find("can't be used inside a callback") !=
          std::string::npos);
}

TEST_CASE("waits survive pcall, iterators and metamethods") {
    ScriptTest test;
    test.load(R"(
local ns = namespace "/t"
ns:on("e", function()
  local out = {}
  local ok, v = pcall(function() sleep(1) return "p" end)
  out[1] = v
  for x in function(_, i) i = (i or 0) + 1 sleep(1) if i < 3 then return i end end do out[#out + 1] = x end
  local t = setmetatable({}, { __index = function(_, k) sleep(1) return k .. "!" end })
  out[#out + 1] = t.key
  local ok2, err = pcall(function() sleep(1) error("e", 0) end)
  out[#out + 1] = err
  return out
end)
)");
    const auto client = test.join();
    client->receive(R"(2/t,1["e"])");
    test.advance(20);
    CHECK(client->take() == Lines{R"(3/t,1[["p",1,2,"key!","e"]])"});
}

TEST_CASE("thousands of waiting handlers come back in order and their coroutines are reused") {
    ScriptTest test;
    test.load(R"(
local ns = namespace "/t"
ns:on("e", function(socket, n) sleep(n % 7) return n end)
)");
    const auto client = test.join();
    for (int round = 0; round < 3; ++round) {
        for (int i = 0; i < 900; ++i) {
            const std::string n = std::to_string(i);
            client->receive("2/t," + n + "[\"e\"," + n + "]");
        }
        test.advance(10);
        CHECK(client->take().size() == 900);
    }
    CHECK(test.host->stats().at(0).coroutines == 0);
    CHECK(test.host->stats().at(0).handlers_run == 2700);
}
