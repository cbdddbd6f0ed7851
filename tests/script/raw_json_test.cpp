#include "core/script/raw_json.hpp"

#include "tests/script/host_fixture.hpp"

using namespace moonwire;
using namespace moonwire::script;

namespace {

struct RawTest : ScriptTest {
    explicit RawTest(const std::string& rest) {
        load("local ns, schema = namespace '/t', require 'schema'\n" + rest);
        sender = join();
        other = join();
    }
    ClientPtr sender, other;
};

}  // namespace

TEST_CASE("a raw argument goes out as the bytes that came in, wherever a script puts it") {
    RawTest test(R"(
ns:on('on', schema.raw(), function(socket, at) socket:broadcast():emit('went', at) return at end)
ns:on('in', schema.raw(), function(socket, at)
  socket:broadcast():emit('went', { at = at, list = { at, 1 } })
end)
)");
    const std::string odd = R"({ "b":1.50,"a":1e3,  "t":"\u0041 [,]\"","n":9007199254740993})";
    CHECK(test.ask(test.sender, R"(["on" , )" + odd + " ]") == "[" + odd + "]");
    CHECK(test.other->take() == Lines{R"(2/t,["went",)" + odd + "]"});
    for (const char* value : {"1.0", "\"\\u0041\"", "null", "[ ]", "[[],{}]", "true", "{}"}) {
        CAPTURE(value);
        test.send(test.sender, std::string(R"(["on",)") + value + "]");
        CHECK(test.other->take() == Lines{std::string(R"(2/t,["went",)") + value + "]"});
    }
    test.send(test.sender, R"(["in",1.0])");
    const std::string sent = test.other->take().at(0);
    CHECK(sent.find(R"("at":1.0)") != sent.npos);
    CHECK(sent.find(R"("list":[1.0,1])") != sent.npos);
}

TEST_CASE("a raw argument is opened when asked to, each time anew") {
    RawTest test(R"(
ns:on('open', schema.raw(), function(socket, at)
  local one, two = at:decode(), at:decode()
  one.a = 2
  return one.a, two.a, tostring(at), #at, pcall(function() return at.a end)
end)
ns:on('type', schema.raw(), function(_, at) return type(at:decode()), at:decode() == null end)
ns:on('text', schema.raw(), function(_, at) return require('json').encode({ at }) end)
)");
    CHECK(test.ask(test.sender, R"(["open",{"a":1}])") ==
          R"x([2,1,"raw(7)",7,false,"app/main.lua:6: raw JSON has no field 'a'; :decode() opens it"])x");
    CHECK(test.ask(test.sender, R"(["type",null])") == R"(["userdata",true])");
    CHECK(test.ask(test.sender, R"(["type",[]])") == R"(["table",false])");
    CHECK(test.ask(test.sender, R"(["text",1.50])") == R"(["[1.50]"])");
}

TEST_CASE("raw arguments stand beside others that are checked") {
    RawTest test(R"(
ns:on('e', { schema.string(), schema.raw(), schema.default(schema.integer(), 7) },
      function(socket, name, at, n) return name, at, n end)
ns:on_any(function(socket, event, ...) local n = select('#', ...) end)
)");
    CHECK(test.ask(test.sender, R"(["e","x",1.0])") == R"(["x",1.0,7])");
    CHECK(test.ask(test.sender, R"(["e","x",1.0,8])") == R"(["x",1.0,8])");
    CHECK(test.ask(test.sender, R"(["e",1,1.0])").find("\"$1\"") != std::string::npos);
    CHECK(test.ask(test.sender, R"(["e","x"])").find("\"$2\"") != std::string::npos);
    CHECK(test.ask(test.sender, R"(["e"])").find("\"$1\"") != std::string::npos);
}

TEST_CASE("binary values in raw arguments keep their places") {
    RawTest test(R"(
ns:on('photo', { schema.raw(), schema.raw() }, function(socket, a, b)
  socket:broadcast():emit('seen', a)
  socket:broadcast():emit('both', bytes 'x', a)
  return a:decode().data, pcall(require('json').encode, a)
end)
)");
    const auto send = [&](const char* packet) {
        test.sender->receive(packet);
        test.sender->receive_binary("\x01");
        test.settle();
    };
    send(R"(51-/t,7["photo",{"_placeholder":true,"num":0},1])");
    CHECK(test.other->take() ==
          Lines{R"(51-/t,["seen",{"_placeholder":true,"num":0}])", "b:\x01",
                R"(52-/t,["both",{"_placeholder":true,"num":0},{"_placeholder":true,"num":1}])",
                "b:x", "b:\x01"});
    const Lines answer = test.sender->take();
    REQUIRE(answer.size() == 1);
    CHECK(answer.front().starts_with(R"(3/t,7["\u0001",false,)"));
    send(R"(51-/t,["photo",{"_placeholder":true,"num":1},1])");
    CHECK(test.sender->closed);
    CHECK(test.other->take().empty());
}

TEST_CASE("what is no JSON does not become a raw argument") {
    for (const char* bad : {R"(["on",])", R"(["on",{"a":}])", R"(["on",1]x)", "[\"on\",\"\xff\"]"}) {
        CAPTURE(bad);
        RawTest test("ns:on('on', schema.raw(), function(_, at) return at end)");
        CHECK(test.ask(test.sender, bad).empty());
        CHECK(test.sender->closed);
    }
}

TEST_CASE("many arguments, and raw values beyond a namespace's memory, are that event's error only") {
    ScriptTest test;
    test.options.limits.memory_bytes = 4u << 20;
    test.load("local ns, schema = namespace '/t', require 'schema' local kept = {}\n"
              "ns:on('keep', schema.raw(), function(_, at) kept[#kept + 1] = at return #kept end)"
              "ns:on('free', function() kept = {} end)");
    const auto client = test.join();
    std::string many = R"(["keep")";
    for (int i = 0; i < 300; ++i) many += ",1";
    CHECK(test.ask(client, many + "]").find("internal") != std::string::npos);
    const std::string large = R"(["keep",")" + std::string(1u << 20, 'x') + "\"]";
    std::string answer;
    for (int i = 0; i < 10 && answer.find("internal") == answer.npos; ++i)
        answer = test.ask(client, large);
    CHECK(answer.find("internal") != std::string::npos);
    test.ask(client, R"(["free"])");
    CHECK(test.ask(client, large) == "[1]");
    CHECK_FALSE(client->closed);
}

TEST_CASE("schema.raw stands for whole arguments only") {
    for (const char* wrong : {"schema.object { a = schema.raw() }", "schema.array(schema.raw())",
                              "schema.optional(schema.raw())", "schema.one_of { schema.raw() }"}) {
        CAPTURE(wrong);
        ScriptTest test;
        const Lines errors = test.load_errors(
            "local ns, schema = namespace '/t', require 'schema'\nlocal x = " + std::string(wrong));
        REQUIRE(errors.size() == 1);
        CHECK(errors.front().find("can't be schema.raw(), which is for whole arguments") !=
              std::string::npos);
    }
}
