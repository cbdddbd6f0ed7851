#include "core/script/relay.hpp"

#include "core/script/json_decode.hpp"
#include "tests/script/host_fixture.hpp"

using namespace moonwire;
using namespace moonwire::script;

namespace {

constexpr const char* kHead = "local ns, schema = namespace '/t', require 'schema'\n"
                              "ns:on('join', function(socket, room) socket:join(room) end)\n"
                              "ns:on('be', function(socket, user) socket.data.user = user end)\n";

struct RelayTest : ScriptTest {
    explicit RelayTest(const std::string& rest, std::size_t reactors = 1) : ScriptTest(reactors) {
        load(kHead + rest);
    }
    /// Two clients: one sends, one listens.
    void meet() {
        sender = join();
        other = join();
    }
    ClientPtr sender, other;
};

/// What parsing made of a template, with every field's value "<name>".
std::string room_of(std::string_view text) {
    std::vector<std::string> fields;
    const auto room = RoomTemplate::parse(text, fields);
    if (!room) return "error";
    std::vector<std::optional<std::string>> values;
    for (const std::string& field : fields) values.push_back("<" + field + ">");
    return room->name(values);
}

}  // namespace

TEST_CASE("a relay passes on the bytes that came in, to all but the sender") {
    RelayTest test("ns:relay('move')");
    test.meet();
    // Decoded and encoded again, none of this would stay as it is.
    const std::string odd = R"(["move",{ "b":1.50,  "a":1e3,"a":[ ],"t":"\u0041\/","n":9007199254740993}])";
    test.send(test.sender, odd);
    CHECK(test.sender->take().empty());
    CHECK(test.other->take() == Lines{"2/t," + odd});
    CHECK(test.ask(test.sender, R"(["move"])") == "[]");
    CHECK(test.other->take() == Lines{R"(2/t,["move"])"});
    const ScriptStats stats = test.host->stats().front();
    CHECK(stats.relayed == 2);
    CHECK(stats.handlers_run == 0);
}

TEST_CASE("a relay's options say to whom it goes, and as what") {
    RelayTest test(R"(
ns:relay('to room', { to = 'a' })
ns:relay('to rooms', { to = { 'a', 'b' }, except_sender = false })
ns:relay('renamed', { as = 'other "name"' })
ns:relay('by field', { to = 'order:{orderId}:{n}' })
ns:relay('dropped', { volatile = true, compress = false })
)");
    test.meet();
    test.send(test.sender, R"(["join","b"])");
    test.send(test.other, R"(["join","a"])");
    test.send(test.other, R"(["join","order:x7:12"])");
    const auto third = test.join();

    test.send(test.sender, R"(["to room",1])");
    CHECK(test.other->take() == Lines{R"(2/t,["to room",1])"});
    test.send(test.sender, R"(["to rooms",1])");
    CHECK(test.other->take() == Lines{R"(2/t,["to rooms",1])"});
    CHECK(test.sender->take() == Lines{R"(2/t,["to rooms",1])"});
    CHECK(third->take().empty());
    test.send(test.sender, R"([ "renamed" , {"a" : 1}])");
    CHECK(third->take() == Lines{R"(2/t,["other \"name\"" , {"a" : 1}])"});
    test.other->take();

    test.send(test.sender, R"(["by field",{"orderId":"x7","n":12,"deep":{"n":1}},{"n":2}])");
    CHECK(test.other->take().size() == 1);
    CHECK(third->take().empty());
    for (const char* argument : {R"({"orderId":"x7"})", R"({"orderId":"x7","n":1.5})", "[]", "7",
                                 R"({"orderId":"x7","n":12,"n":null})", R"({"x":{"n":12}})"}) {
        CAPTURE(argument);
        const std::string answer =
            test.ask(test.sender, std::string(R"(["by field",)") + argument + "]");
        CHECK(answer.starts_with(R"([{"error":{"code":"invalid")"));
        CHECK(answer.find("must be a string or a whole number") != answer.npos);
    }
    CHECK(test.other->take().empty());

    test.other->writable = false;
    test.send(test.sender, R"(["dropped"])");
    CHECK(test.other->take().empty());
    CHECK(third->take().size() == 1);
}

TEST_CASE("a relay to another namespace, also on another reactor") {
    ScriptTest test(2);
    test.folder.write("ops.lua", "namespace '/ops'");
    test.load("local ns = namespace '/t' ns:relay('alarm', { to_namespace = '/ops', to = 'staff' })"
              " ns:relay('lost', { to_namespace = '/none' })"
              " ns:on('put', function(_, id) namespace_of('/ops'):to(id):join('staff') end)");
    const auto sender = test.join(), watcher = test.knock("/ops"), idle = test.join("/ops");
    const std::string sid = watcher->take().front().substr(14, 20);
    test.send(sender, "[\"put\",\"" + sid + "\"]");
    CHECK(test.ask(sender, R"(["alarm",{"a":1.0}])") == "[]");
    CHECK(watcher->take() == Lines{R"(2/ops,["alarm",{"a":1.0}])"});
    CHECK(idle->take().empty());
    CHECK(test.ask(sender, R"(["lost"])").find("no such namespace /none") != std::string::npos);
}

TEST_CASE("a relay in a family stays within the member") {
    ScriptTest test;
    test.load("namespace('/t/:name'):relay('move', { as = 'moved' })");
    const auto a = test.join("/t/a"), also_a = test.join("/t/a"), b = test.join("/t/b");
    test.send(a, R"(["move",1])", "/t/a");
    CHECK(also_a->take() == Lines{R"(2/t/a,["moved",1])"});
    CHECK(b->take().empty());
}

TEST_CASE("a schema keeps what does not hold from being relayed") {
    RelayTest test(R"(
ns:relay('move', { schema = schema.object { lat = schema.number { max = 90 } } })
ns:relay('pair', { schema = { schema.string(), schema.default(schema.integer(), 3) } })
)");
    test.meet();
    test.send(test.sender, R"(["move",{"lat":40.50}])");
    CHECK(test.other->take() == Lines{R"(2/t,["move",{"lat":40.50}])"});
    CHECK(test.ask(test.sender, R"(["move",{"lat":91}])")
              .starts_with(R"([{"error":{"code":"invalid","message":"lat: must be at most 90 (max), )"
                           R"(got number 91","data":{"path":"lat","rule":"max",)"));
    test.send(test.sender, R"(["move"])");
    CHECK(test.sender->take().front().starts_with(R"(2/t,["error",{"code":"invalid")"));
    // A default is thought of, but what is relayed is what came in.
    test.send(test.sender, R"(["pair","a"])");
    CHECK(test.other->take() == Lines{R"(2/t,["pair","a"])"});
    CHECK(test.ask(test.sender, R"(["pair",1])").find("\"$1\"") != std::string::npos);
}

TEST_CASE("a relay's rate is a socket's, and fills again") {
    RelayTest test("ns:relay('move', { rate = { 2, 10 } }) ns:relay('other', { rate = { 1, 1 } })");
    test.meet();
    for (int i = 0; i < 3; ++i) test.send(test.sender, R"(["move"])");
    CHECK(test.sender->take().empty());
    CHECK(test.other->take().size() == 2);
    CHECK(test.ask(test.sender, R"(["move"])").find(R"("code":"rate_limited")") != std::string::npos);
    CHECK(test.ask(test.sender, R"(["other"])") == "[]");
    CHECK(test.ask(test.other, R"(["move"])") == "[]");
    test.other->take();
    test.advance(5);
    CHECK(test.ask(test.sender, R"(["move"])") == "[]");
    CHECK(test.ask(test.sender, R"(["move"])").find("rate_limited") != std::string::npos);
    CHECK(test.host->stats().front().relays_limited == 3);
}

TEST_CASE("a relay with roles takes the word of socket.data.user") {
    RelayTest test("ns:relay('move', { role = 'driver' }) ns:relay('see', { roles = { 'a', 'b' } })");
    test.meet();
    const auto move = [&] { return test.ask(test.sender, R"(["move"])"); };
    CHECK(move() ==
          R"([{"error":{"code":"forbidden","message":"not for your role"}}])");
    for (const char* user : {R"({"type":"driver"})", R"({"role":"driver"})",
                             R"({"type":"x","roles":["y","driver"]})"}) {
        test.send(test.sender, std::string(R"(["be",)") + user + "]");
        CHECK(move() == "[]");
    }
    for (const char* user : {"null", "1", "\"driver\"", "{}", R"({"type":["driver"]})",
                             R"({"roles":"driver"})", R"({"roles":[1,{}]})", R"({"type":1})"}) {
        CAPTURE(user);
        test.send(test.sender, std::string(R"(["be",)") + user + "]");
        CHECK(move().find("forbidden") != std::string::npos);
    }
    test.send(test.sender, R"(["be",{"roles":["b"]}])");
    CHECK(test.ask(test.sender, R"(["see"])") == "[]");
}

TEST_CASE("what listens to every event hears those that are relayed, and may stop them") {
    RelayTest test(R"(
local seen = 0
ns:on_any(function() seen = seen + 1 sleep(1) end)
ns:use_event(function(socket, event, what) if what == 'stop' then fail('stopped', 'no') end end)
ns:relay('move', { schema = schema.string(), as = 'moved' })
ns:on('seen', function() return seen end)
)");
    test.meet();
    test.send(test.sender, R"(["move","go"])");
    CHECK(test.other->take().empty());
    test.advance(1);
    CHECK(test.other->take() == Lines{R"(2/t,["moved","go"])"});
    test.send(test.sender, R"(["move","stop"])");
    test.send(test.sender, R"(["move",1])");
    test.advance(1);
    CHECK(test.other->take().empty());
    const Lines told = test.sender->take();
    REQUIRE(told.size() == 2);
    CHECK(told[0].find("stopped") != std::string::npos);
    CHECK(told[1].find("invalid") != std::string::npos);
}

TEST_CASE("what is no JSON is not relayed but ends the connection") {
    for (const char* bad : {R"(["move",])", R"(["move",1]x)", "[\"move\",\"\xff\"]",
                            R"(["move",{"id":1]])"}) {
        CAPTURE(bad);
        RelayTest test("ns:relay('move') ns:relay('field', { to = '{id}' })");
        test.meet();
        test.send(test.sender, bad);
        CHECK(test.sender->closed);
        CHECK(test.other->take().empty());
    }
    RelayTest test("ns:relay('field', { to = '{id}' })");
    test.meet();
    test.send(test.sender, R"(["field",{"id":"x"])");
    CHECK(test.sender->closed);
}

TEST_CASE("binary values are relayed as they are, with placeholders that name them") {
    RelayTest test("ns:relay('photo', { as = 'seen' })");
    test.meet();
    test.sender->receive(R"(51-/t,["photo",{"_placeholder":true,"num":0}])");
    test.sender->receive_binary("\x01\x02");
    test.settle();
    CHECK(test.other->take() ==
          Lines{R"(51-/t,["seen",{"_placeholder":true,"num":0}])", "b:\x01\x02"});
    test.sender->receive(R"(51-/t,["photo",{"_placeholder":true,"num":1}])");
    test.sender->receive_binary("\x01\x02");
    test.settle();
    CHECK(test.other->take().empty());
    CHECK(test.sender->closed);
}

TEST_CASE("a client that comes back gets what was relayed meanwhile") {
    socketio::ServerOptions options;
    options.nsp.recovery.enabled = true;
    ScriptTest test(1, options);
    test.load("namespace('/t'):relay('move')");
    const auto sender = test.join(), other = test.join();
    // Blanks after the packet must not get in the way of the offset that is appended.
    test.send(sender, "[\"move\",1] \n");
    const Lines got = other->take();
    REQUIRE(got.size() == 1);
    CHECK(got.front().starts_with(R"(2/t,["move",1,")"));
    CHECK(got.front().ends_with("\"]"));
}

TEST_CASE("a relay goes with its generation, like any handler") {
    ScriptTest test;
    test.load("namespace('/t'):relay('move', { rate = { 1, 1000 } })");
    const auto sender = test.join(), other = test.join();
    CHECK(test.ask(sender, R"(["move"])") == "[]");
    CHECK(test.ask(sender, R"(["move"])").find("rate_limited") != std::string::npos);
    other->take();
    test.reload("namespace('/t'):relay('move', { as = 'moved', rate = { 1, 1000 } })");
    CHECK(test.ask(sender, R"(["move"])") == "[]");
    CHECK(other->take() == Lines{R"(2/t,["moved"])"});
    test.reload("namespace('/t'):on('move', function() return 'handled' end)");
    CHECK(test.ask(sender, R"(["move"])") == R"(["handled"])");
    test.reload("namespace '/t'");
    CHECK(test.ask(sender, R"(["move"])").empty());
}

TEST_CASE("a relay's mistakes are told when it is loaded") {
    const std::pair<const char*, const char*> cases[] = {
        {"{ too = 'x' }", "unknown option 'too'; did you mean 'to'?"},
        {"{ 'x' }", "options have names"},
        {"{ to = 1 }", "option 'to' must be a room or a list"},
        {"{ to = {} }", "option 'to' must be a room or a list"},
        {"{ to = 'a:{b' }", "option 'to' must be a room whose '{' is followed"},
        {"{ to = 'a:{}' }", "option 'to' must be a room whose '{' is followed"},
        {"{ as = 'connect' }", "'connect' is the protocol's own event"},
        {"{ volatile = 1 }", "option 'volatile' must be true or false"},
        {"{ rate = 5 }", "option 'rate' must be {count, seconds}"},
        {"{ rate = { 0, 1 } }", "option 'rate' must be {count, seconds}"},
        {"{ rate = { 1, 0 } }", "option 'rate' must be {count, seconds}"},
        {"{ to_namespace = 'ops' }", "option 'to_namespace' must be a namespace"},
        {"{ roles = {} }", "option 'roles' must be a role"},
        {"{ schema = 1 }", "a schema, or a list of schemas, expected"},
        {"7", "table expected, got number"},
    };
    for (const auto& [options, problem] : cases) {
        CAPTURE(options);
        ScriptTest test;
        const Lines errors =
            test.load_errors("local ns = namespace '/t'\nns:relay('move', " + std::string(options) + ")");
        REQUIRE(errors.size() == 1);
        CHECK(errors.front().starts_with("app/main.lua:2: "));
        CHECK(errors.front().find(problem) != std::string::npos);
    }
    ScriptTest test;
    CHECK(test.load_errors("local ns = namespace '/t' ns:relay('e')\nns:on('e', function() end)") ==
          Lines{"app/main.lua:2: a second handler for 'e' (the first is at app/main.lua:1)"});
    CHECK(ScriptTest().load_errors(
              "local ns = namespace '/t' ns:on('e', function() end)\nns:relay('e')") ==
          Lines{"app/main.lua:2: a second handler for 'e' (the first is at app/main.lua:1)"});
}

TEST_CASE("rooms are made of text and fields") {
    CHECK(room_of("plain") == "plain");
    CHECK(room_of("{a}") == "<a>");
    CHECK(room_of("x{a}y{b}{a}z") == "x<a>y<b><a>z");
    CHECK(room_of("x}") == "x}");
    CHECK(room_of("{") == "error");
    CHECK(room_of("{}") == "error");
}

TEST_CASE("an event is renamed without touching its arguments") {
    const auto renamed = [](std::string_view json) {
        std::string out;
        rename_event(out, json, "n");
        return out;
    };
    CHECK(renamed(R"(["e"])") == R"(["n"])");
    CHECK(renamed(R"([ "a\"]," , 1, [2] ])") == R"(["n" , 1, [2] ])");
    CHECK(renamed("[12,1]") == R"(["n",1])");
    CHECK(renamed("[12]") == R"(["n"])");
}
