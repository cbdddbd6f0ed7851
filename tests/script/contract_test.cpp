#include "core/script/contract.hpp"

#include <doctest/doctest.h>

#include "core/script/check.hpp"
#include "tests/script/host_fixture.hpp"
#include "tests/script/log_capture.hpp"

using namespace moonwire;
using namespace moonwire::script;

namespace {

constexpr std::string_view kShop = R"(
local ns, schema = namespace "/t", require "schema"
local Item = schema.named("Item", schema.object { id = schema.string() })
ns:on("buy", { Item, schema.optional(schema.integer()), returns = schema.boolean(),
               description = "buys it" }, function(socket, item) return item.id == "sun" end)
ns:on("ping", { returns = schema.string() }, function(socket, what) return what end)
ns:on("raw", function() end)
ns:on("own", { Item, check = false }, function(socket, item) return item end)
ns:on("one", { Item, returns = Item }, function(socket, item) return item end)
ns:emits("sold", Item)
ns:emits("asked", { Item, returns = schema.number() })
ns:on("send", function(socket, event, ...) socket:emit(event, ...) end)
ns:on("all", function(socket, ...) ns:emit("sold", ...) end)
ns:on("ask", function(socket) return (socket:timeout(5):call("asked", { id = "a" })) end)
)";

const EventContract& event_of(const std::vector<EventContract>& events, std::string_view name) {
    for (const EventContract& event : events)
        if (event.name == name) return event;
    FAIL("no event ", name);
    std::abort();
}

}  // namespace

TEST_CASE("a contract is what the files declare, in order of names") {
    ScriptTest test;
    test.folder.write("main.lua", kShop);
    const Contracts contracts = read_contracts(test.options);
    REQUIRE(contracts.errors.empty());
    REQUIRE(contracts.namespaces.size() == 1);
    const NamespaceContract& shop = contracts.namespaces[0];
    CHECK(shop.app == "app");
    CHECK(shop.name == "/t");
    REQUIRE(shop.out.size() == 2);
    CHECK(shop.out[0].name == "asked");
    CHECK(shop.out[0].signature.returns->kind == SchemaNode::Kind::number);
    CHECK(shop.out[1].signature.arguments[0]->name == "Item");
    const EventContract& buy = event_of(shop.in, "buy");
    CHECK(buy.position == "app/main.lua:4");
    CHECK(buy.signature.arguments.size() == 2);
    CHECK(buy.signature.description == "buys it");
    CHECK(buy.signature.returns->kind == SchemaNode::Kind::boolean);
    CHECK(event_of(shop.in, "ping").signature.declared);
    CHECK(event_of(shop.in, "ping").signature.arguments.empty());
    CHECK_FALSE(event_of(shop.in, "raw").signature.declared);
}

TEST_CASE("what is relayed comes in and goes out, under its other name if it has one") {
    ScriptTest test;
    test.folder.write("main.lua", R"(
local ns, schema = namespace "/t", require "schema"
ns:relay("at", { to = "all", as = "was_at", schema = schema.number() }))");
    const Contracts contracts = read_contracts(test.options);
    REQUIRE(contracts.errors.empty());
    const NamespaceContract& contract = contracts.namespaces[0];
    CHECK(event_of(contract.in, "at").signature.arguments.size() == 1);
    CHECK(event_of(contract.out, "was_at").signature.arguments.size() == 1);
}

TEST_CASE("what stands beside the schemas changes neither what is checked nor the path") {
    ScriptTest test;
    test.load(kShop);
    const auto client = test.join();
    CHECK(test.ask(client, R"(["buy",{"id":"sun"}])") == "[true]");
    CHECK(test.ask(client, R"(["buy",{}])").find(R"("path":"$1.id")") != std::string::npos);
    CHECK(test.ask(client, R"(["one",{}])").find(R"("path":"id")") != std::string::npos);
    CHECK(test.ask(client, R"(["ping","x"])") == R"(["x"])");
    CHECK(test.ask(client, R"(["own",7])") == "[7]");
}

TEST_CASE("a wrong declaration is an error at load") {
    const auto error = [](const std::string& call) {
        ScriptTest test;
        const Lines lines = test.load_errors(
            "local ns, schema = namespace '/t', require 'schema'\n" + call);
        REQUIRE(lines.size() == 1);
        return lines[0];
    };
    CHECK(error("ns:on('e', { schema.any(), return_ = schema.any() }, log.info)") ==
          "app/main.lua:2: beside its schemas an event may have returns (a schema), check (true or "
          "false) and description (a string), not return_ = a userdata");
    CHECK(error("ns:emits('e', { returns = 'string' })").find("not returns = a string") !=
          std::string::npos);
    CHECK(error("ns:emits('e', {})").find("a schema, or a list of schemas, expected") !=
          std::string::npos);
    CHECK(error("ns:emits('e', { schema.any(), 5 })").find("the list must hold schemas only") !=
          std::string::npos);
    CHECK(error("schema.named('A', schema.any())\nschema.named('A', schema.string())") ==
          "app/main.lua:3: schema.named: 'A' is another schema already, made at app/main.lua:2");
}

TEST_CASE("an app's namespaces can't call two schemas by one name in their types") {
    ScriptTest test;
    test.folder.write("a.lua", "local ns, schema = namespace '/a', require 'schema'\n"
                               "ns:emits('x', schema.named('P', schema.object { a = schema.any() }))");
    test.folder.write("b.lua", "local ns, schema = namespace '/b', require 'schema'\n"
                               "ns:emits('y', schema.named('P', schema.string()))\n"
                               "ns:on('z', schema.array(schema.named('P', schema.string())), log.info)");
    const Contracts contracts = read_contracts(test.options);
    REQUIRE(contracts.errors.size() == 1);
    CHECK(contracts.errors[0].file == "app/b.lua");
    CHECK(contracts.errors[0].line == 3);
    CHECK(contracts.errors[0].message ==
          "the schema 'P' of event 'z' is not the one of event 'x' (app/a.lua:2)");
    const auto problems = check_scripts(test.options);
    CHECK(std::any_of(problems.begin(), problems.end(), [&](const Problem& each) {
        return !each.is_warning && each.line == 3 && each.message == contracts.errors[0].message;
    }));
}

TEST_CASE("check_emits tells once of each event that is not as declared, and sends it") {
    ScriptTest test;
    test.options.limits.check_emits = true;
    test.load(kShop);
    const auto client = test.join();
    LogCapture log;
    const auto count = [&](const std::string& part) {
        const std::string text = log.text();
        int found = 0;
        for (std::size_t at = 0; (at = text.find(part, at)) != std::string::npos; ++at) ++found;
        return found;
    };
    test.send(client, R"(["send","sold",{"id":"a"}])");
    CHECK(log.text().empty());
    test.send(client, R"(["send","sold",{"id":7}])");
    test.send(client, R"(["send","sold",{"id":7}])");
    test.send(client, R"(["all",{"id":7}])");
    CHECK(count("an event is not sent as declared") == 1);
    CHECK(count("$.id: must be a string (type), got number 7") == 1);
    CHECK(count("at=app/main.lua:12") == 1);
    test.send(client, R"(["send","unheard"])");
    CHECK(count("an event is sent that is not declared") == 1);
    CHECK(client->take().size() == 5);
    CHECK(test.ask(client, R"(["one",{"id":"a"}])") == R"([{"id":"a"}])");
    CHECK(count("does not return what is declared") == 0);
    CHECK(test.ask(client, R"(["ping",7])") == "[7]");
    CHECK(count("does not return what is declared") == 1);
    client->receive(R"(2/t,7["ask"])");
    test.settle();
    client->receive(R"(3/t,0["x"])");
    test.settle();
    CHECK(count("a client does not answer as declared") == 1);
}

TEST_CASE("check_emits tells of too many values, and is off unless it is asked for") {
    for (const bool on : {true, false}) {
        ScriptTest test;
        test.options.limits.check_emits = on;
        test.load(kShop);
        const auto client = test.join();
        LogCapture log;
        test.send(client, R"(["send","sold",{"id":"a"},2])");
        CHECK(log.has("2 values, where 1 is declared") == on);
        CHECK(log.text().empty() == !on);
        CHECK(client->take().size() == 1);
    }
}
