#include "core/script/app_files.hpp"

#include <thread>

#include "core/script/namespace_literal.hpp"
#include "tests/script/host_fixture.hpp"

using namespace moonwire;
using namespace moonwire::script;

TEST_CASE("the namespace of a file is its first literal one, wherever comments and strings tempt") {
    const std::pair<const char*, const char*> found[] = {
        {R"(namespace "/a")", "/a"},
        {R"(local ns = namespace("/a"))", "/a"},
        {"namespace '/a'", "/a"},
        {"namespace [[/a]]", "/a"},
        {"namespace( [==[/a]==] )", "/a"},
        {"-- namespace '/no'\nnamespace '/a'", "/a"},
        {"--[[ namespace '/no' ]] namespace '/a'", "/a"},
        {"--[==[ namespace '/no' ]] ]==] namespace '/a'", "/a"},
        {"local s = \"namespace '/no'\" namespace '/a'", "/a"},
        {"local s = 'it\\'s namespace \"/no\"' namespace '/a'", "/a"},
        {"x.namespace '/no' x:namespace '/no' namespace '/a'", "/a"},
        {"local n = namespace n '/no'", nullptr},
        {"function namespace(x) end", nullptr},
        {"local my_namespace = 1 return my_namespace", nullptr},
        {"return { namespace = '/no' }", nullptr},
        {"#!/usr/bin/lua\nnamespace '/a'", "/a"},
        {"local a = 1 .. 2 namespace '/a' namespace '/b'", "/a"},
        {"", nullptr},
        {"-- [[", nullptr},
        {"\"unfinished", nullptr},
        {"[==[unfinished", nullptr},
    };
    for (const auto& [source, name] : found) {
        CAPTURE(source);
        const NamespaceLiteral literal = find_namespace(source);
        CHECK(literal.error.empty());
        if (name) CHECK(literal.name == std::string(name));
        else CHECK_FALSE(literal.name);
    }
    for (const char* source :
         {"\n\nnamespace(x)", "\n\nnamespace('/a' .. x)", "\n\nnamespace { '/a' }"}) {
        CAPTURE(source);
        CHECK_FALSE(find_namespace(source).error.empty());
        CHECK(find_namespace(source).line == 3);
    }
}

TEST_CASE("tests, public and hidden folders, and links out of the app are not loaded") {
    ScriptTest test;
    ScriptFolder outside;
    outside.write("secret.lua", "return 'secret'");
    test.folder.write("a_test.lua", "error('a test')");
    test.folder.write("public/p.lua", "error('public')");
    test.folder.write(".hidden/h.lua", "error('hidden')");
    test.folder.write(".h.lua", "error('hidden')");
    test.folder.write("notes.txt", "no Lua");
    test.folder.write("lib/inner.lua", "return 'inner'");
    std::filesystem::create_symlink(outside.path(), test.folder.path() / "out");
    std::filesystem::create_symlink(outside.path() / "secret.lua", test.folder.path() / "link.lua");
    std::filesystem::create_symlink(test.folder.path(), test.folder.path() / "circle");
    test.load(R"(
local ns = namespace "/t"
ns:on("r", function(socket, name) local ok, v = pcall(require, name) return ok, v end)
)");
    const auto client = test.join();
    CHECK(test.ask(client, R"(["r","lib.inner"])") == R"([true,"inner"])");
    for (const char* name : {"out.secret", "link", "a_test", "public.p", "../x", "/etc/passwd",
                             "..x", "lib/inner", "main", "plugin.jwt", ""}) {
        CAPTURE(name);
        CHECK(test.ask(client, std::string(R"(["r",")") + name + "\"]").starts_with("[false,"));
    }
}

TEST_CASE("files of one namespace run in path order and share globals, not locals") {
    ScriptTest test;
    test.folder.write("b/second.lua",
                      "local ns = namespace '/t' order = order .. 'b' local mine = 1");
    test.folder.write("a/first.lua", "local ns = namespace '/t' order = 'a'");
    test.folder.write("c.lua",
                      "local ns = namespace '/t' order = order .. 'c' "
                      "ns:on('e', function() return order, mine == nil end)");
    test.load();
    CHECK(test.ask(test.join(), R"(["e"])") == R"(["abc",true])");
}

TEST_CASE("a module runs once a namespace, and its mistakes are told with its file") {
    ScriptTest test;
    test.folder.write("lib/count.lua", "runs = (runs or 0) + 1 return { name = ... }");
    test.folder.write("lib/nothing.lua", "");
    test.folder.write("one.lua", R"(
local ns = namespace "/one"
local a, b = require "lib.count", require "lib.count"
ns:on("e", function() return a == b, runs, a.name, require "lib.nothing" end)
)");
    test.folder.write(
        "two.lua",
        "local c = require 'lib.count' namespace('/two'):on('e', function() return runs end)");
    test.load();
    CHECK(test.ask(test.join("/one"), R"(["e"])", "/one") == R"([true,1,"lib.count",true])");
    CHECK(test.ask(test.join("/two"), R"(["e"])", "/two") == "[1]");
}

TEST_CASE("what is wrong with a module is an error at load, with file and line") {
    const std::tuple<const char*, const char*, const char*> cases[] = {
        {"return require 'b'", "return require 'a'", "in a circle: a -> b -> a"},
        {"\nreturn nil + 1", "", "app/a.lua:2: attempt to perform arithmetic"},
        {"\nreturn =", "", "app/a.lua:2: "},
        {"sleep(1)", "", "app/a.lua:1: sleep can't be used while a file loads"},
        {"return require 'missing'", "", "module 'missing' not found"},
        {"local n = namespace\nn '/t'", "", "namespace can only be used at the top level"},
    };
    for (const auto& [a, b, message] : cases) {
        ScriptTest test;
        test.folder.write("a.lua", a);
        test.folder.write("b.lua", b);
        const Lines errors = test.load_errors("local ns = namespace '/t'\nlocal a = require 'a'");
        REQUIRE(errors.size() == 1);
        CHECK_MESSAGE(errors[0].find(message) != std::string::npos, errors[0]);
    }
}

namespace {

/// Two apps beside a folder of modules that they share.
struct SharingTest : ScriptTest {
    SharingTest() {
        options.apps = {app("one", folder), app("two", second)};
        for (App& each : options.apps) each.shared = shared.path();
        shared.write("v.lua", "return { v = (...) == 'shared.v' }");
        shared.write("lib/deep.lua", "return require('shared.v').v and 2");
        folder.write("main.lua", handler("/one", "shared.v"));
        second.write("main.lua", handler("/two", "shared.v"));
    }
    static std::string handler(const std::string& nsp, const std::string& module) {
        return "local m = require '" + module + "' namespace('" + nsp +
               "'):on('e', function() return m end)";
    }
    std::string answer(const std::string& nsp) { return ask(join(nsp), R"(["e"])", nsp); }

    ScriptFolder second, shared;
};

}  // namespace

TEST_CASE("modules in the shared folder are there for every app, by their names below it") {
    SharingTest test;
    test.second.write("main.lua", test.handler("/two", "shared.lib.deep"));
    test.load();
    CHECK(test.answer("/one") == R"([{"v":true}])");
    CHECK(test.answer("/two") == "[2]");
}

TEST_CASE("a shared module's change reloads exactly the namespaces that required it") {
    SharingTest test;
    test.second.write("main.lua", "namespace('/two'):on('e', function() return 2 end)");
    test.load();
    test.shared.write("v.lua", "return 7");
    CHECK(test.reload().empty());
    CHECK(test.answer("/one") == "[7]");
    for (const ScriptStats& each : test.host->stats())
        CHECK(each.generation == (each.name == "/one" ? 2 : 1));
    test.shared.write("v.lua", "return nil + 1");
    CHECK(test.reload().front().starts_with("shared/v.lua:1: attempt to perform arithmetic"));
    CHECK(test.answer("/one") == "[7]");
}

TEST_CASE("an app's own folder of that name wins over the shared one, as a whole") {
    SharingTest test;
    test.folder.write("shared/v.lua", "return 'own'");
    test.load();
    CHECK(test.answer("/one") == R"(["own"])");
    CHECK(test.answer("/two") == R"([{"v":true}])");
    test.folder.write("main.lua", test.handler("/one", "shared.lib.deep"));
    CHECK(test.reload().front().find("module 'shared.lib.deep' not found") != std::string::npos);
}

TEST_CASE("what is no module in the shared folder is left out, once and with its line") {
    SharingTest test;
    ScriptFolder outside;
    outside.write("secret.lua", "return 1");
    test.shared.write("main.lua", "\nnamespace '/three'");
    test.shared.write("v_test.lua", "error('a test')");
    test.shared.write("public/p.lua", "error('public')");
    std::filesystem::create_symlink(outside.path() / "secret.lua", test.shared.path() / "out.lua");
    test.folder.write("main.lua", R"(
namespace("/one"):on("e", function(socket, name) return (pcall(require, name)) end)
)");
    CHECK(test.load_errors() ==
          Lines{"shared/main.lua:2: apps share modules only, which call no namespace"});
    const auto client = test.join("/one");
    for (const char* name : {"shared.main", "shared.v_test", "shared.public.p", "shared.out",
                             "shared", "v", "shared..v", "two.main", "main"}) {
        CAPTURE(name);
        CHECK(test.ask(client, std::string(R"(["e",")") + name + "\"]", "/one") == "[false]");
    }
    CHECK(test.ask(client, R"(["e","shared.v"])", "/one") == "[true]");
}

TEST_CASE("a shared folder that is not there is none") {
    SharingTest test;
    for (App& each : test.options.apps) each.shared = test.shared.path() / "nowhere";
    test.folder.write("main.lua", "namespace '/one'");
    const Lines errors = test.load_errors();
    REQUIRE(errors.size() == 1);
    CHECK(errors[0].find("two/main.lua:1: module 'shared.v' not found") == 0);
}

TEST_CASE("demo.lua in an app's folder is loaded only if its demo is on") {
    ScriptTest test;
    test.folder.write("demo.lua", "local ns = namespace '/t' ns:on('d', function() return 'd' end)");
    test.folder.write("lib/demo.lua", "return 1");
    const std::string main =
        "local ns = namespace '/t' require 'lib.demo' ns:on('e', function() return 'e' end)";
    test.load(main);
    CHECK(test.ask(test.join(), R"(["e"])") == R"(["e"])");
    CHECK(test.ask(test.join(), R"(["d"])").empty());

    ScriptTest shown;
    shown.options.apps.front().demo = true;
    shown.folder.write("demo.lua", "local ns = namespace '/t' ns:on('d', function() return 'd' end)");
    shown.folder.write("lib/demo.lua", "return 1");
    shown.load(main);
    CHECK(shown.ask(shown.join(), R"(["d"])") == R"(["d"])");
}

TEST_CASE("a file that says its namespace wrongly is an error with its line") {
    const std::pair<const char*, const char*> cases[] = {
        {"\nnamespace(name)", "app/main.lua:2: namespace takes a literal string"},
        {"\nnamespace 'x'", "app/main.lua:2: a namespace starts with '/'"},
        {"namespace '/t'\nnamespace '/t'", "app/main.lua:2: namespace can be used once a file"},
        {"local n = namespace\nif false then namespace '/t' end\nn '/u'",
         "app/main.lua:3: the file belongs to"},
        {"namespace '/t'\nnamespace '/u'", "app/main.lua:2: namespace can be used once"},
    };
    for (const auto& [source, message] : cases) {
        ScriptTest test;
        const Lines errors = test.load_errors(source);
        REQUIRE(errors.size() == 1);
        CHECK_MESSAGE(errors[0].starts_with(message), errors[0]);
    }
}

TEST_CASE("registering twice, or what can't be registered, is an error with both positions") {
    const std::pair<const char*, const char*> cases[] = {
        {"ns:on('e', f)\nns:on('e', f)",
         "app/main.lua:4: a second handler for 'e' (the first is at app/main.lua:3)"},
        {"ns:serve('e', f) ns:serve('e', f)", "a second function for 'e'"},
        {"ns:on_server('e', f) ns:on_server('e', f)", "a second server handler for 'e'"},
        {"ns:emits('e', s.any()) ns:emits('e', s.any())", "a second declaration of 'e'"},
        {"ns:on('disconnect', f)", "'disconnect' is the protocol's own event"},
        {"ns:on('', f)", "a name expected"},
        {"ns:on('e')", "function expected"},
        {"ns:on('e', {}, f)", "a schema, or a list of schemas, expected"},
        {"ns:on('e', { 1 }, f)", "must hold schemas only"},
        {"ns:on('e', 5, f)", "a schema, or a list of schemas, expected"},
        {"ns.on('e', f)", "namespace (called with ':'?)"},
        {"ns:use(1)", "function expected"},
        {"ns:emits('e', 1)", "a schema"},
        {"ns.typo = 1", "no field 'typo' to set"},
        {"every(0, f)", "more than zero seconds"},
        {"after(-1, f)", "seconds"},
        {"after(1)", "function expected"},
        {"log.info(undefined.x)", "attempt to index global 'undefined'"},
    };
    for (const auto& [code, message] : cases) {
        ScriptTest test;
        const Lines errors = test.load_errors(
            "local ns, s = namespace '/t', require 'schema'\n"
            "local f = function() end\n" +
            std::string(code));
        REQUIRE(errors.size() == 1);
        CHECK_MESSAGE(errors[0].find(message) != std::string::npos, errors[0]);
        CHECK(errors[0].starts_with("app/main.lua:"));
    }
    ScriptTest test;
    test.load("local ns = namespace '/t' ns:on('e', function() ns:on('f', function() end) end)");
    const auto client = test.join();
    CHECK(test.ask(client, R"(["e"])").find("internal") != std::string::npos);
}

TEST_CASE("a file that comes and goes while the apps are read is there or not, and no error") {
    ScriptFolder folder;
    script::App app;
    app.name = "app";
    app.folder = folder.path();
    std::atomic<bool> enough{false};
    std::thread editor([&] {
        while (!enough) {
            folder.write("main.lua", "namespace '/t'");
            std::filesystem::remove(folder.path() / "main.lua");
        }
    });
    std::size_t seen = 0;
    for (int i = 0; i < 2000 || seen == 0; ++i) {
        const script::FoundScripts found = script::find_scripts({app});
        CHECK(found.errors.empty());
        seen += found.namespaces.size();
    }
    enough = true;
    editor.join();
}

TEST_CASE("two apps can't share a namespace, and the one that has it serves") {
    ScriptTest test;
    ScriptFolder second;
    second.write("m.lua", "\nnamespace '/t'");
    second.write("o.lua", "namespace('/o'):on('e', function() return setting('k') end)");
    test.options.apps.push_back(test.app("second", second));
    test.options.apps.push_back(test.app("nowhere", second));
    test.options.apps.back().folder = "/dev/null";
    test.options.apps.push_back(test.app("removed", second));
    test.options.apps.back().folder = "/no/such/folder";
    test.settings["k"] = "1";
    CHECK(test.load_errors("namespace('/t'):on('e', function() return 'first' end)") ==
          Lines{"second/m.lua:2: namespace \"/t\" belongs to another app already: app/main.lua",
                "/dev/null:0: the app's folder can't be read"});
    CHECK(test.ask(test.join(), R"(["e"])") == R"(["first"])");
    CHECK(test.ask(test.join("/o"), R"(["e"])", "/o") == "[1]");
}
