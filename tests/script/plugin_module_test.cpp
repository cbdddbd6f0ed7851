#include "core/script/check.hpp"
#include "core/script/extensions.hpp"
#include "tests/script/host_fixture.hpp"
#include "tests/script/log_capture.hpp"

using namespace moonwire;
using namespace moonwire::script;

namespace {

using plugin::Answer;

/// A plugin "p" whose waiting calls the test answers.
struct PluginTest : ScriptTest {
    PluginTest() {
        auto extensions = std::make_shared<Extensions>();
        plugin::Module& module = extensions->modules["p"];
        module.immediate["echo"] = [](const plugin::Call& call) {
            return Answer::values(call.arguments.json, call.arguments.attachments);
        };
        module.immediate["caller"] = [](const plugin::Call& call) {
            return Answer::values("[\"" + call.nsp + "\"]");
        };
        module.immediate["broken"] = [](const plugin::Call&) {
            return Answer::error("p is broken");
        };
        module.immediate["no_json"] = [](const plugin::Call&) { return Answer::values("{}x"); };
        module.waiting["wait"] = [this](plugin::Call call, plugin::Reply reply) {
            calls.push_back(std::move(call));
            replies.push_back(std::move(reply));
        };
        options.limits.extensions = std::move(extensions);
    }
    /// Answers the oldest call that waits.
    void answer(Answer given) {
        const auto reply = std::move(replies.front());
        replies.erase(replies.begin());
        reply(std::move(given));
        settle();
    }
    std::vector<plugin::Call> calls;
    std::vector<plugin::Reply> replies;
};

}  // namespace

TEST_CASE("a plugin's immediate functions take and give all values, also while a file loads") {
    PluginTest test;
    test.load(R"(
local ns = namespace "/t"
local p = require "plugin.p"
local loaded, with = p.echo(1, { a = null })
ns:on("echo", function(socket, ...) return p.echo(...) end)
ns:on("bytes", function() return p.echo(bytes("\1\2")).data:byte(1, -1) end)
ns:on("caller", function() return p.caller(), loaded, with end)
ns:on("none", function() return select("#", p.echo()) end)
)");
    const auto client = test.join();
    CHECK(test.ask(client, R"(["echo",[],"two",{"three":[null]}])") ==
          R"([[],"two",{"three":[null]}])");
    CHECK(test.ask(client, R"(["bytes"])") == "[1,2]");
    CHECK(test.ask(client, R"(["caller"])") == R"(["/t",1,{"a":null}])");
    CHECK(test.ask(client, R"(["none"])") == "[0]");
}

TEST_CASE("a plugin's waiting function resumes its caller with the answer") {
    PluginTest test;
    test.load(R"(
local ns = namespace "/t"
local p = require "plugin.p"
ns:on("get", function(socket, what) return p.wait(what, bytes("b")) end)
ns:on("caught", function() local ok, why = pcall(p.wait) return ok, tostring(why), why.data end)
)");
    const auto client = test.join();
    client->receive(R"(2/t,1["get","x"])");
    client->receive(R"(2/t,2["get","y"])");
    test.settle();
    REQUIRE(test.calls.size() == 2);
    CHECK(test.calls[0].nsp == "/t");
    CHECK(test.calls[0].arguments.json == R"(["x",{"_placeholder":true,"num":0}])");
    CHECK(test.calls[0].arguments.attachments == Lines{"b"});
    CHECK(client->take().empty());
    auto second = test.replies[1];
    test.answer(Answer::values(R"([1,[2]])"));
    CHECK(client->take() == Lines{"3/t,1[1,[2]]"});
    test.answer(Answer::nothing("not today"));
    CHECK(client->take() == Lines{R"(3/t,2[null,"not today"])"});
    second(Answer::values("[3]"));  // too late
    test.settle();
    CHECK(client->take().empty());

    client->receive(R"(2/t,3["get","z"])");
    test.settle();
    test.answer(Answer::failure("teapot", "short", R"({"a":1})"));
    CHECK(client->take() ==
          Lines{R"(3/t,3[{"error":{"code":"teapot","message":"short","data":{"a":1}}}])"});
    client->receive(R"(2/t,4["caught"])");
    test.settle();
    test.answer(Answer::failure("teapot", "short", R"({"a":1})"));
    CHECK(client->take() == Lines{R"(3/t,4[false,"teapot: short",{"a":1}])"});
}

TEST_CASE("a plugin's error is the script's, and says where it was called") {
    PluginTest test;
    LogCapture log;
    test.load(R"(
local ns = namespace "/t"
local p = require "plugin.p"
ns:on("now", function() p.broken() end)
ns:on("later", function()
  local x = p.wait()
  return x
end)
ns:on("no_json", function() p.no_json() end)
)");
    const auto client = test.join();
    const std::string internal = R"([{"error":{"code":"internal","message":"internal error"}}])";
    CHECK(test.ask(client, R"(["now"])") == internal);
    CHECK(log.text().find("app/main.lua:4: p is broken") != std::string::npos);
    CHECK(test.ask(client, R"(["no_json"])") == internal);
    CHECK(log.text().find("main.lua:9: plugin.p.no_json answered with what is no list of values") !=
          std::string::npos);
    client->receive(R"(2/t,7["later"])");
    test.settle();
    test.answer(Answer::error("p is down"));
    CHECK(client->take() == Lines{"3/t,7" + internal});
    CHECK(log.text().find("app/main.lua:6: p is down") != std::string::npos);
    client->receive(R"(2/t,8["later"])");
    test.settle();
    test.replies.clear();
    test.settle();
    CHECK(client->take() == Lines{"3/t,8" + internal});
    CHECK(log.text().find("main.lua:6: plugin.p.wait gave no answer") != std::string::npos);
}

TEST_CASE("what a plugin lacks, and waiting while a file loads, are errors at load") {
    PluginTest test;
    CHECK(test.load_errors("local ns = namespace \"/t\"\nrequire \"plugin.q\"") ==
          Lines{"app/main.lua:2: module 'plugin.q' not found: no plugin of that name that offers "
                "functions is loaded (plugins.load in moonwire.toml)"});
    CHECK(test.load_errors("local ns = namespace \"/t\"\nrequire(\"plugin.p\").wait()") ==
          Lines{"app/main.lua:2: plugin.p.wait can't be used while a file loads"});
    CHECK(test.load_errors("local ns = namespace \"/t\"\nrequire(\"plugin.p\").echo(tostring)")
              .front()
              .starts_with("app/main.lua:2: plugin.p.echo: $1: "));
}

TEST_CASE("an answer that comes after a reload, or after the end, harms nobody") {
    PluginTest test;
    test.load(R"(
local ns = namespace "/t"
ns:on("get", function() return require("plugin.p").wait() end)
)");
    const auto client = test.join();
    client->receive(R"(2/t,1["get"])");
    test.settle();
    CHECK(test.reload("local ns = namespace \"/t\"") == Lines{});
    test.answer(Answer::values("[1]"));
    CHECK(client->take() == Lines{"3/t,1[1]"});
    test.reload(
        "local ns = namespace \"/t\" ns:on(\"get\", function() "
        "require(\"plugin.p\").wait() end)");
    client->receive(R"(2/t,2["get"])");
    test.settle();
    const auto reply = test.replies.front();
    test.host->stop();
    test.settle();
    reply(Answer::values("[2]"));
    test.settle();
    CHECK(client->take() == Lines{});
}

TEST_CASE("moonwire check knows what plugins offer") {
    PluginTest test;
    test.folder.write("main.lua", R"(
local ns = namespace "/t"
local p = require "plugin.p"
local q = require "plugin.qq"
ns:on("a", function() return p.ecko(1) end)
)");
    Lines lines;
    for (const Problem& each : check_scripts(test.options))
        lines.push_back(std::to_string(each.line) + ": " + each.message);
    REQUIRE(lines.size() == 2);
    CHECK(lines[0].starts_with("4: module 'plugin.qq'"));
    CHECK(lines[1] == "5: plugin.p has no field 'ecko'; did you mean 'echo'?");
}
