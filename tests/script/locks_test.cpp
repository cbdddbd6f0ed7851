#include "tests/script/host_fixture.hpp"
#include "tests/script/log_capture.hpp"

using namespace moonwire;
using namespace moonwire::script;

namespace {

/// Handlers that wait for s seconds with key k, and say so.
constexpr const char* kWork = R"(
local ns = namespace "/t"
ns:on("work", function(socket, k, s, how)
  local a, b, c = ns:lock(k, function()
    ns:emit("begin", how)
    sleep(s)
    if how == "bug" then error("oops") end
    if how == "fail" then fail("conflict", "taken") end
    ns:emit("end", how)
    return how, nil, 3
  end)
  return a, b, c
end)
)";

}  // namespace

TEST_CASE("a lock keeps waiting handlers apart, first come first served") {
    ScriptTest test;
    test.load(kWork);
    const auto client = test.join();
    client->receive(R"(2/t,1["work","k",2,"a"])");
    client->receive(R"(2/t,2["work","k",1,"b"])");
    client->receive(R"(2/t,3["work","other",1,"c"])");
    client->receive(R"(2/t,4["work","k",0,"d"])");
    test.settle();
    CHECK(client->take() == Lines{R"(2/t,["begin","a"])", R"(2/t,["begin","c"])"});
    test.advance(1);
    CHECK(client->take() == Lines{R"(2/t,["end","c"])", R"(3/t,3["c",null,3])"});
    test.advance(1);
    CHECK(client->take() ==
          Lines{R"(2/t,["end","a"])", R"(3/t,1["a",null,3])", R"(2/t,["begin","b"])"});
    test.advance(2);
    CHECK(client->take() == Lines{R"(2/t,["end","b"])", R"(3/t,2["b",null,3])",
                                  R"(2/t,["begin","d"])", R"(2/t,["end","d"])",
                                  R"(3/t,4["d",null,3])"});
}

TEST_CASE("a lock is given back by errors, which pass through as they are") {
    ScriptTest test;
    test.load(kWork);
    const auto client = test.join();
    LogCapture log;
    client->receive(R"(2/t,1["work","k",1,"bug"])");
    client->receive(R"(2/t,2["work","k",1,"fail"])");
    client->receive(R"(2/t,3["work","k",0,"fine"])");
    test.advance(3);
    CHECK(test.answer(client, "1").find("internal") != std::string::npos);
    CHECK(test.answer(client, "2") == R"([{"error":{"code":"conflict","message":"taken"}}])");
    CHECK(test.answer(client, "3") == R"(["fine",null,3])");
    CHECK(log.has("app/main.lua:7: oops"));
    // Where it happened, and what it happened in.
    CHECK(log.has("app/main.lua:7: in function <app/main.lua:4>"));
    CHECK(log.has("app/main.lua:4: in function <app/main.lua:3>"));
    CHECK(!log.has("raised again"));
}

TEST_CASE("a lock is given back when its task is cancelled, waiting or holding") {
    ScriptTest test;
    const std::string work = kWork;
    test.load(work + R"(
spawn(function() ns:lock("k", function() sleep(1000) end) end)
spawn(function() ns:lock("k", function() sleep(1000) end) end)
)");
    const auto client = test.join();
    client->receive(R"(2/t,1["work","k",0,"a"])");
    test.advance(1);
    CHECK(client->take() == Lines{});
    CHECK(test.reload(work) == Lines{});
    test.advance(1);
    CHECK(client->take() ==
          Lines{R"(2/t,["begin","a"])", R"(2/t,["end","a"])", R"(3/t,1["a",null,3])"});
    CHECK(test.ask(client, R"(["work","k",0,"b"])") == "");
    test.advance(1);
    CHECK(test.answer(client, "100") == R"(["b",null,3])");
}

TEST_CASE("a lock that the old generation's handler holds keeps the new one's out") {
    ScriptTest test;
    test.load(kWork);
    const auto client = test.join();
    client->receive(R"(2/t,1["work","k",5,"old"])");
    test.settle();
    CHECK(test.reload() == Lines{});
    client->receive(R"(2/t,2["work","k",0,"new"])");
    test.advance(4);
    CHECK(client->take() == Lines{R"(2/t,["begin","old"])"});
    test.advance(2);
    CHECK(client->take().size() == 5);
}

TEST_CASE("who left while holding or waiting does not keep the lock") {
    ScriptTest test;
    test.load(R"(
local ns = namespace "/t"
ns:on("call", function(socket) return ns:lock("k", function() return socket:timeout(1000):call("q") end) end)
ns:on("free", function() return ns:lock("k", function() return "free" end) end)
)");
    const auto gone = test.join(), client = test.join();
    test.send(gone, R"(["call"])");
    client->receive(R"(2/t,1["free"])");
    test.settle();
    CHECK(client->take() == Lines{});
    gone->finish();
    test.settle();
    CHECK(client->take() == Lines{R"(3/t,1["free"])"});
}

TEST_CASE("taking a lock again from within is an error, also by way of gather") {
    ScriptTest test;
    test.load(R"(
local ns = namespace "/t"
ns:on("twice", function() return ns:lock("k", function() return pcall(ns.lock, ns, "k", print) end) end)
ns:on("again", function() return ns:lock("k", function() ns:lock("k", function() end) end) end)
ns:on("two", function() return ns:lock("a", function() return ns:lock("b", function() return "both" end) end) end)
ns:on("gather", function()
  return ns:lock("k", function()
    return gather(function()
      return gather(function() return select(2, pcall(ns.lock, ns, "k", function() end)) end)
    end)
  end)
end)
ns:on("spawned", function()
  return ns:lock("k", function() spawn(function() ns:lock("k", function() ns:emit("later") end) end) sleep(1) return 1 end)
end)
ns:on("number", function() return ns:lock(7, function() return 1 end), ns:lock(7, function() return 2 end) end)
)");
    const auto client = test.join();
    LogCapture log;
    CHECK(test.ask(client, R"(["again"])").find("internal") != std::string::npos);
    CHECK(log.has("app/main.lua:4: ns:lock: this handler holds 'k' already"));
    CHECK(test.ask(client, R"(["two"])") == R"(["both"])");
    CHECK(test.ask(client, R"(["gather"])")
              .find("ns:lock: this handler holds 'k' already") != std::string::npos);
    CHECK(test.ask(client, R"(["number"])") == "[1,2]");
    client->receive(R"(2/t,1["spawned"])");
    test.advance(1);
    CHECK(client->take() == Lines{"3/t,1[1]", R"(2/t,["later"])"});
}

TEST_CASE("too many waiters for one key are told busy") {
    ScriptTest test;
    test.load(kWork);
    const auto client = test.join(), other = test.join();
    for (int i = 0; i < 1002; ++i)
        (i < 500 ? other : client)->receive("2/t," + std::to_string(i) + R"(["work","k",1,"a"])");
    test.settle();
    CHECK(client->take() == Lines{R"(2/t,["begin","a"])", R"(3/t,1001[null,"busy",null])"});
    test.advance(1002);
    CHECK(client->take().size() == 1000 + 1001 + 501);  // begun, ended, answered here
    CHECK(test.host->stats().at(0).coroutines == 0);
}

TEST_CASE("a lock's arguments are checked, and it is not for a file that loads") {
    ScriptTest test;
    CHECK(test.load_errors("local ns = namespace '/t'\nns:lock('k', function() end)") ==
          Lines{"app/main.lua:2: ns:lock can't be used while a file loads"});
    test.load(R"(
local ns = namespace "/t"
ns:on("e", function(socket)
  local errors = {}
  for _, arguments in ipairs { { ns, {}, print }, { ns, "k" }, { socket, "k", print }, { ns, ("x"):rep(1001), error } } do
    errors[#errors + 1] = select(2, pcall(ns.lock, unpack(arguments)))
  end
  return errors
end)
)");
    const auto client = test.join();
    const std::string errors = test.ask(client, R"(["e"])");
    for (const char* part : {"takes a key and a function", "is a namespace's", "key is too long"})
        CHECK_MESSAGE(errors.find(part) != std::string::npos, errors);
}
