#include "host_fixture.hpp"

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
)");
    const auto client = test.join();
    CHECK(test.ask(client, R"(["add",1,2])") == R"([3,{"from":true}])");
    CHECK(test.ask(client, R"(["nothing"])") == "[]");
    CHECK(test.ask(client, R"(["silent"])") == "");
    CHECK(test.ask(client, R"(["null"])") == "[null]");
    CHECK(test.ask(client, R"(["unknown"])") == "");
    CHECK_FALSE(client->closed);
}

TEST_CASE("a handler emits, joins rooms and reaches their members") {
    ScriptTest test;
    test.load(R"(
local ns = namespace "/t"
ns:on("join", function(socket, room) socket:join(room) end)
ns:on("say", function(socket, room, text)
  socket:to(room):emit("said", text)
  ns:to(room):emit("all", text)
  socket:emit("done")
end)
)");
    const auto a = test.join(), b = test.join(), c = test.join();
    test.send(a, R"(["join","r"])");
    test.send(b, R"(["join","r"])");
    test.send(a, R"(["say","r","hi"])");
    CHECK(a->take() == Lines{R"(2/t,["all","hi"])", R"(2/t,["done"])"});
    CHECK(b->take() == Lines{R"(2/t,["said","hi"])", R"(2/t,["all","hi"])"});
    CHECK(c->take() == Lines{});
}

TEST_CASE("a handler waits for a client's acknowledgement") {
    ScriptTest test;
    test.load(R"(
local ns = namespace "/t"
ns:on("go", function(socket)
  local a, b = socket:timeout(5):call("question", 1)
  return a, b
end)
)");
    const auto client = test.join();
    test.send(client, R"(["go"])");
    client->receive(R"(2/t,9["go"])");
    test.settle();
    auto sent = client->take();
    REQUIRE(sent.size() == 2);
    const std::string id = sent[1].substr(4, sent[1].find('[') - 4);
    CHECK(sent[1] == "2/t," + id + R"(["question",1])");
    client->receive("3/t," + id + R"(["yes",2])");
    test.settle();
    CHECK(client->take() == Lines{R"(3/t,9["yes",2])"});
    client->receive(R"(2/t,10["go"])");
    test.settle();
    client->take();
    test.advance(5);
    CHECK(client->take() == Lines{R"(3/t,10[null,"timeout"])"});
}
