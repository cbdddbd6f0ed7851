#include "core/script/check.hpp"
#include "core/script/extensions.hpp"
#include "tests/script/host_fixture.hpp"
#include "tests/script/log_capture.hpp"

using namespace moonwire;
using namespace moonwire::script;

namespace {

using plugin::Answer;

constexpr const char* kScript = R"(
local functions, handle, want = ...
local connections = {}
local module = {}
function module.connect(options)
  if not options.url then error("connect needs a url", 2) end
  functions.check(options.url)
  want(options.name, { url = options.url })
  local connection = { handlers = {} }
  function connection:on(event, fn) self.handlers[event] = fn end
  function connection:close() want(options.name, nil) end
  connections[options.name] = connection
  return connection
end
handle("event", function(name, event, ...) return connections[name].handlers[event](...) end)
return module
)";

/// A plugin "p" with Lua of its own.
struct PluginScriptTest : ScriptTest {
    explicit PluginScriptTest(const char* script = kScript) {
        auto extensions = std::make_shared<Extensions>();
        plugin::Module& module = extensions->modules["p"];
        module.script = script;
        module.immediate["check"] = [](const plugin::Call& call) {
            return call.arguments.json == R"(["bad"])" ? Answer::failure("bad", "a bad url")
                                                       : Answer::values("[]");
        };
        module.wanted = [this](const plugin::Call& call) {
            wanted.push_back(call.nsp + " " + call.arguments.json);
        };
        options.limits.extensions = std::move(extensions);
    }
    ~PluginScriptTest() {
        if (host) host->stop();  // which tells the plugin
        settle();
    }
    Lines take_wanted() { return std::exchange(wanted, {}); }

    /// What the handler answers, in short.
    std::string ask_handler(const std::string& json, const std::string& nsp = "/t",
                            const std::string& name = "event") {
        const auto answers = std::make_shared<Lines>();
        host->ask(nsp, "p", name, payload(json), [answers](Answer answer) {
            using Kind = Answer::Kind;
            if (answer.kind == Kind::values) {
                for (const std::string& each : answer.results.attachments)
                    answer.results.json += "+" + each;
                return answers->push_back(answer.results.json);
            }
            answers->push_back(
                (answer.kind == Kind::failure ? "failure " + answer.code + ": " : "error: ") +
                answer.message + answer.data_json);
        });
        settle();
        REQUIRE(answers->size() == 1);
        return answers->front();
    }
    static socketio::OwnedPayload payload(const std::string& json) {
        socketio::OwnedPayload made;
        made.json = json;
        return made;
    }
    Lines wanted;
};

constexpr const char* kApp = R"(
local ns = namespace "/t"
local a = require("plugin.p").connect { name = "a", url = "http://a" }
a:on("echo", function(...) return ... end)
a:on("slow", function() sleep(1) return bytes("b") end)
a:on("refuse", function() fail("teapot", "short", { a = 1 }) end)
a:on("bug", function() error("oops") end)
a:on("no value", function() return tostring end)
)";

}  // namespace

TEST_CASE("a plugin's Lua makes what require returns, once a generation") {
    PluginScriptTest test(R"(
local functions = ...
log.info("made")
return { twice = function(x) return functions.check(x), 2 * x end }
)");
    LogCapture log;
    test.load(R"(
local ns = namespace "/t"
local p = require "plugin.p"
ns:on("twice", function(socket, x) return select(2, require("plugin.p").twice(x), p.twice(x)) end)
ns:on("same", function() return p == require "plugin.p" end)
)");
    const auto client = test.join();
    CHECK(test.ask(client, R"(["same"])") == "[true]");
    const std::string text = log.text();
    CHECK(text.find("made") == text.rfind("made"));
}

TEST_CASE("an error in a plugin's Lua names the plugin") {
    CHECK(PluginScriptTest("return }").load_errors("namespace \"/t\"\nrequire \"plugin.p\"") ==
          Lines{"app/main.lua:0: plugin.p:1: unexpected symbol near '}'"});
    CHECK(PluginScriptTest("\nlocal x = nil + 1")
              .load_errors("namespace \"/t\"\nrequire \"plugin.p\"")
              .front()
              .starts_with("app/main.lua:0: plugin.p:2: attempt to perform arithmetic"));
    CHECK(PluginScriptTest("local x = 1").load_errors("namespace \"/t\"\nrequire \"plugin.p\"") ==
          Lines{"app/main.lua:2: plugin.p: its script returned nothing"});
    PluginScriptTest user;
    CHECK(user.load_errors("namespace \"/t\"\nrequire(\"plugin.p\").connect {}") ==
          Lines{"app/main.lua:2: connect needs a url"});
}

TEST_CASE("a plugin asks its handlers, and hears what they return, refuse or break on") {
    PluginScriptTest test;
    LogCapture log;
    test.load(kApp);
    CHECK(test.ask_handler(R"(["a","echo",1,[],{"b":null}])") == R"([1,[],{"b":null}])");
    CHECK(test.ask_handler(R"(["a","echo"])") == "[]");
    CHECK(test.ask_handler(R"(["a","refuse"])") == R"(failure teapot: short{"a":1})");
    CHECK(test.ask_handler(R"(["a","bug"])") == "error: app/main.lua:7: oops");
    CHECK(log.text().find("oops") != std::string::npos);
    CHECK(test.ask_handler(R"(["a","no value"])").starts_with("error: the function's result: "));
    CHECK(test.ask_handler(R"(["a",)").starts_with("error: "));
    CHECK(test.ask_handler("[]", "/t", "other") ==
          "failure unavailable: nothing in /t handles other of plugin p");
    CHECK(test.ask_handler("[]", "/none") == "failure unavailable: no script serves /none");
}

TEST_CASE("a plugin's handler may wait, and is answered once whatever becomes of it") {
    PluginScriptTest test;
    test.load(kApp);
    Lines answers;
    const auto ask = [&] {
        test.host->ask("/t", "p", "event", test.payload(R"(["a","slow"])"), [&](Answer answer) {
            answers.push_back(answer.kind == Answer::Kind::values
                                  ? answer.results.attachments.front()
                                  : answer.code + ": " + answer.message);
        });
        test.settle();
    };
    ask();
    CHECK(answers.empty());
    test.advance(1.1);
    CHECK(answers == Lines{"b"});
    ask();
    test.host->stop();
    test.settle();
    CHECK(answers == Lines{"b", "unavailable: the namespace is gone"});
}

TEST_CASE("a reload replaces a plugin's handlers with the code that registered them") {
    PluginScriptTest test;
    test.load(kApp);
    CHECK(test.reload(R"(
local ns = namespace "/t"
local a = require("plugin.p").connect { name = "a", url = "http://a" }
a:on("echo", function() return "new" end)
)") == Lines{});
    CHECK(test.ask_handler(R"(["a","echo",1])") == R"(["new"])");
    CHECK(test.reload("local ns = namespace \"/t\"") == Lines{});
    CHECK(test.ask_handler(R"(["a","echo",1])") ==
          "failure unavailable: nothing in /t handles event of plugin p");
}

TEST_CASE("a plugin is told what the generation in charge wants, and when nobody wants any more") {
    PluginScriptTest test;
    test.load(kApp);
    CHECK(test.take_wanted() == Lines{R"(/t [["a",{"url":"http://a"}]])"});

    SUBCASE("each reload says it anew, all of it") {
        test.reload(R"(
local ns = namespace "/t"
local p = require("plugin.p")
p.connect { name = "b", url = "http://b" }
p.connect { name = "a", url = "http://1" }
p.connect { name = "a", url = "http://2" }
)");
        CHECK(test.take_wanted() ==
              Lines{R"(/t [["a",{"url":"http://2"}],["b",{"url":"http://b"}]])"});
        test.reload("local ns = namespace \"/t\"");
        CHECK(test.take_wanted() == Lines{"/t []"});
    }
    SUBCASE("code that can't take over wants nothing") {
        CHECK(!test.reload("local ns = namespace \"/t\"\n"
                           "require(\"plugin.p\").connect { name = \"b\", url = \"x\" }\noops()")
                   .empty());
        CHECK(test.take_wanted() == Lines{});
    }
    SUBCASE("handlers may change their mind") {
        test.reload(R"(
local ns = namespace "/t"
local p = require "plugin.p"
local made
ns:on("open", function(socket, name) made = p.connect { name = name, url = "u" } end)
ns:on("close", function() made:close() end)
)");
        CHECK(test.take_wanted() == Lines{"/t []"});
        const auto client = test.join();
        test.ask(client, R"(["open","x"])");
        CHECK(test.take_wanted() == Lines{R"(/t [["x",{"url":"u"}]])"});
        test.ask(client, R"(["close"])");
        CHECK(test.take_wanted() == Lines{"/t []"});
        const std::string refused = test.ask(client, R"(["open","y"])");
        CHECK(test.take_wanted().size() == 1);
    }
    SUBCASE("the end is told, too") {
        test.host->stop();
        test.settle();
        CHECK(test.take_wanted() == Lines{"/t []"});
    }
}

TEST_CASE("what a generation replaced wants and handles counts no more") {
    PluginScriptTest test;
    test.load(R"(
local ns = namespace "/t"
local p = require "plugin.p"
ns:on("late", function() sleep(1) p.connect { name = "late", url = "u" } end)
)");
    const auto client = test.join();
    test.send(client, R"(["late"])");
    test.reload("local ns = namespace \"/t\"");
    test.take_wanted();
    test.advance(1.1);
    CHECK(test.take_wanted() == Lines{});
}

TEST_CASE("the limit of a thousand wants of a namespace is an error that names the plugin") {
    PluginScriptTest test;
    CHECK(test.load_errors(R"(
local ns = namespace "/t"
for i = 1, 1001 do require("plugin.p").connect { name = "n" .. i, url = "u" } end
)") == Lines{"app/main.lua:0: plugin.p:8: plugin.p: more than 1000 in a namespace"});
}

TEST_CASE("moonwire check runs a plugin's Lua, opens nothing, and knows what it offers") {
    PluginScriptTest test;
    test.folder.write("main.lua", R"(
local ns = namespace "/t"
local p = require "plugin.p"
p.connect { name = "a", url = "http://a" }
ns:on("a", function() return p.conect(1) end)
)");
    Lines lines;
    for (const Problem& each : check_scripts(test.options))
        lines.push_back(std::to_string(each.line) + ": " + each.message);
    CHECK(lines == Lines{"5: plugin.p has no field 'conect'; did you mean 'connect'?"});
    CHECK(test.wanted.empty());
}
