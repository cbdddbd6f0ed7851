#include "tests/script/host_fixture.hpp"
#include "tests/script/log_capture.hpp"

using namespace moonwire;
using namespace moonwire::script;

TEST_CASE("ask gets what another namespace's function returns, from whichever reactor") {
    for (std::size_t reactors : {1, 2}) {
        ScriptTest test(reactors);
        test.folder.write("a.lua", R"(
local ns = namespace "/a"
ns:on("ask", function(socket, name, ...) return ask("/b", name, ...) end)
ns:on("far", function(socket, nsp) return ask(nsp, "f") end)
ns:serve("mine", function(x) return x * 2 end)
ns:on("self", function() return ask("/a", "mine", 21) end)
)");
        test.folder.write("b.lua", R"(
local ns = namespace "/b"
ns:serve("sum", function(a, b) sleep(1) return a + b, { a, b } end)
ns:serve("echo", function(...) return ... end)
ns:serve("none", function() end)
ns:serve("fail", function() fail("conflict", "taken") end)
ns:serve("bug", function() error("oops") end)
ns:serve("unsayable", function() return function() end end)
)");
        test.load();
        const auto client = test.join("/a");
        const auto ask = [&](const std::string& json) { return test.ask(client, json, "/a"); };
        client->receive(R"(2/a,1["ask","sum",1,2])");
        test.settle();
        test.advance(1);
        CHECK(client->take() == Lines{"3/a,1[3,[1,2]]"});
        CHECK(ask(R"(["ask","echo",null,{"x":[]},"s"])") == R"([null,{"x":[]},"s"])");
        CHECK(ask(R"(["ask","none"])") == "[]");
        CHECK(ask(R"(["ask","fail"])") == R"([null,"taken","conflict"])");
        LogCapture log;
        CHECK(ask(R"(["ask","bug"])") == R"([null,"app/b.lua:7: oops"])");
        CHECK(log.has("namespace=/b serve=bug"));
        CHECK(ask(R"(["ask","unsayable"])").starts_with("[null,\"the function's result: "));
        CHECK(ask(R"(["ask","missing"])") == R"([null,"no such function missing in /b"])");
        CHECK(ask(R"(["far","/nowhere"])") == R"([null,"no such namespace /nowhere"])");
        CHECK(ask(R"(["self"])") == "[42]");
    }
}

TEST_CASE("who asks a namespace that goes away is told so") {
    ScriptTest test(2);
    test.folder.write("a.lua",
                      "namespace('/a'):on('ask', function() return ask('/b', 'slow') end)");
    test.folder.write("b.lua", "namespace('/b'):serve('slow', function() sleep(100) end)");
    test.load();
    const auto client = test.join("/a");
    client->receive(R"(2/a,1["ask"])");
    test.settle();
    test.folder.remove("b.lua");
    CHECK(test.reload() == Lines{});
    test.advance(6);
    CHECK(client->take() == Lines{R"(3/a,1[null,"the namespace is gone"])"});
}

TEST_CASE("namespace_of reaches the sockets of another namespace on its reactor") {
    for (std::size_t reactors : {1, 2}) {
        ScriptTest test(reactors);
        test.folder.write("a.lua", R"(
local ns = namespace "/a"
local b = namespace_of "/b"
ns:on("emit", function() b:to("r"):emit("hello", { x = 1 }) b:emit("all") return b:emit("again") end)
ns:on("count", function() return b:count(), b:to("r"):count(), b:except("r"):count() end)
ns:on("fetch", function()
  local list = b:to("r"):fetch()
  local s = list[1]
  s:emit("direct", s.nsp) s:join("extra") s:leave("r")
  return #list, s.nsp, #s.rooms, s.handshake.auth.k, s.handshake.query.token, b:to("extra"):count(), b:to("r"):count()
end)
ns:on("call", function() return b:timeout(2):call("q") end)
ns:on("kick", function() b:to("extra"):fetch()[1]:disconnect() sleep(0) return b:count() end)
ns:on("bulk", function() b:join("bulk") b:to("bulk"):leave("bulk") return b:to("bulk"):count() end)
ns:on("server", function() return b:server_emit("news", 1, "x"), ns:server_emit("nobody", 1) end)
ns:on("none", function() return namespace_of("/zzz"):to("r"):emit("x") end)
ns:on("none2", function() return namespace_of("/zzz"):fetch() end)
ns:on("none3", function() return namespace_of("/zzz"):server_emit("x") end)
ns:on("family", function() namespace_of("/f/:x"):emit("to all") return namespace_of("/f/:x"):count(), namespace_of("/f/1"):count() end)
)");
        test.folder.write("b.lua", R"(
local ns = namespace "/b"
ns:on("join", function(socket, room) socket:join(room) end)
ns:on_server("news", function(n, s) ns:emit("heard", n, s) end)
)");
        test.folder.write("f.lua", "namespace '/f/:x'");
        test.load();
        const auto a = test.join("/a"), b1 = test.join("/b", R"({"k":"v"})"), b2 = test.join("/b");
        const auto ask = [&](const std::string& json) { return test.ask(a, json, "/a"); };
        test.send(b1, R"(["join","r"])", "/b");
        CHECK(ask(R"(["emit"])") == "[true]");
        CHECK(b1->take() ==
              Lines{R"(2/b,["hello",{"x":1}])", R"(2/b,["all"])", R"(2/b,["again"])"});
        CHECK(b2->take() == Lines{R"(2/b,["all"])", R"(2/b,["again"])"});
        CHECK(ask(R"(["count"])") == "[2,1,1]");
        CHECK(ask(R"(["fetch"])") == R"([1,"/b",2,"v","q1",1,0])");
        CHECK(b1->take() == Lines{R"(2/b,["direct","/b"])"});
        a->receive(R"(2/a,1["call"])");
        test.settle();
        const std::string line = b1->take().at(0);
        b1->receive("3/b," + line.substr(4, line.find('[') - 4) + R"([5])");
        b2->take();
        test.settle();
        test.advance(2);
        CHECK(a->take() == Lines{R"(3/a,1[[5],"timeout"])"});
        CHECK(ask(R"(["bulk"])") == "[0]");
        CHECK(ask(R"(["server"])") == "[true,true]");
        CHECK(b2->take() == Lines{R"(2/b,["heard",1,"x"])"});
        a->receive(R"(2/a,2["kick"])");
        test.settle();
        test.advance(0);
        CHECK(a->take() == Lines{"3/a,2[1]"});
        CHECK(ask(R"(["none"])") == R"([null,"no such namespace /zzz"])");
        CHECK(ask(R"(["none2"])") == R"([null,"no such namespace /zzz"])");
        CHECK(ask(R"(["none3"])") == R"([null,"no such namespace /zzz"])");
        CHECK(ask(R"(["family"])").starts_with("[0,"));
        const auto f = test.join("/f/1");
        CHECK(ask(R"(["family"])") == "[1,1]");
        CHECK(f->take() == Lines{R"(2/f/1,["to all"])"});
    }
}

TEST_CASE("a route gets the request and answers with status, body and headers") {
    ScriptTest test;
    test.load(R"(
local ns = namespace "/t"
route("GET", "/rooms/:id", function(r)
  return 200, { id = r.params.id, q = r.query.a, method = r.method, path = r.path, agent = r.headers["user-agent"],
                address = r.address, body = r.body, json = r.json }
end)
route("POST", "/rooms/:id", function(r) sleep(1) return 201, r.json end)
route("get", "/rooms/all", function() return 200, "plain", { ["X-Thing"] = "1" } end)
route("GET", "/bytes", function() return 200, bytes("\0\1") end)
route("GET", "/html", function() return 200, "<b>", { ["Content-Type"] = "text/html" } end)
route("DELETE", "/empty", function() end)
route("PUT", "/nobody", function() return 202 end)
)");
    auto got = test.request(
        {"GET", "/rooms/a%20b+c", "a=1+2&b=%26", {{"User-Agent", "x"}}, "", "1.2.3.4"});
    REQUIRE(got);
    CHECK(got->status == 200);
    for (const char* part :
         {R"("id":"a b+c")", R"("q":"1 2")", R"("method":"GET")", R"("agent":"x")",
          R"("path":"/rooms/a%20b+c")", R"("address":"1.2.3.4")", R"("body":"")"})
        CHECK_MESSAGE(got->body.find(part) != std::string::npos, got->body);
    CHECK(got->headers.at(0).second == "application/json");

    got = test.request(
        {"POST", "/rooms/7", "", {{"content-type", "application/json"}}, R"({"n":[]})", ""});
    CHECK_FALSE(got);
    CHECK(test.taken);
    got = test.request({"GET", "/rooms/all", "", {}, "", ""});
    CHECK(got->body == "plain");
    CHECK(got->headers.at(0) == std::pair<std::string, std::string>("x-thing", "1"));
    CHECK(got->headers.at(1).second == "text/plain; charset=UTF-8");
    CHECK(test.request({"GET", "/bytes", "", {}, "", ""})->body == std::string("\0\1", 2));
    CHECK(test.request({"GET", "/html", "", {}, "", ""})->headers.at(0).second == "text/html");
    CHECK(test.request({"DELETE", "/empty", "", {}, "", ""})->status == 204);
    CHECK(test.request({"PUT", "/nobody", "", {}, "", ""})->status == 202);
    got = test.request({"HEAD", "/rooms/all", "", {}, "", ""});
    CHECK(got->status == 200);
    CHECK(got->body == "");
    got = test.request({"PATCH", "/rooms/all", "", {}, "", ""});
    CHECK(got->status == 405);
    CHECK(got->headers.back() == std::pair<std::string, std::string>("allow", "GET, HEAD, POST"));
    CHECK_FALSE(test.request({"GET", "/other", "", {}, "", ""}));
    CHECK_FALSE(test.taken);
    CHECK_FALSE(test.request({"GET", "/rooms/", "", {}, "", ""}));
    CHECK_FALSE(test.request({"GET", "", "", {}, "", ""}));
}

TEST_CASE("a route's failures become statuses") {
    ScriptTest test;
    test.options.limits.tasks = 2;
    test.load(R"(
local schema = require "schema"
local ns = namespace "/t"
route("GET", "/fail/:code", function(r) fail(r.params.code, "no", { n = 1 }) end)
route("GET", "/bug", function() error("oops") end)
route("GET", "/odd", function() return "no status" end)
route("GET", "/split", function() return 200, "x", { a = "b\r\nevil: 1" } end)
route("GET", "/wait", function() sleep(5) return 200, "waited" end)
route("POST", "/checked", { schema = schema.object { n = schema.integer { min = 1 },
  s = schema.default(schema.string(), "d") } }, function(r) return 200, r.json end)
)");
    const std::pair<const char*, unsigned> codes[] = {
        {"unauthorized", 401}, {"forbidden", 403}, {"not_found", 404}, {"conflict", 409},
        {"invalid", 422},      {"busy", 503},      {"other", 400}};
    for (const auto& [code, status] : codes) {
        const auto got = test.request({"GET", std::string("/fail/") + code, "", {}, "", ""});
        CHECK(got->status == status);
        CHECK(got->body ==
              std::string(R"({"error":{"code":")") + code + R"(","message":"no","data":{"n":1}}})");
    }
    LogCapture log;
    for (const char* path : {"/bug", "/odd", "/split"}) {
        const auto got = test.request({"GET", path, "", {}, "", ""});
        CHECK(got->status == 500);
        CHECK(got->body == R"({"error":{"code":"internal","message":"internal error"}})");
    }
    CHECK(log.has("app/main.lua:5: oops"));

    const auto post = [&](const char* body) {
        return *test.request({"POST", "/checked", "", {}, body, ""});
    };
    CHECK(post(R"({"n":1})").body.find(R"("s":"d")") != std::string::npos);
    CHECK(post(R"({"n":0})").status == 422);
    CHECK(post(R"({"n":0})").body.find(R"("data":{"path":"n","rule":"min","expected":)") != std::string::npos);
    CHECK(post("{broken").status == 422);
    CHECK(post("").status == 422);

    std::optional<RouteResponse> first, second;
    test.host->route({"GET", "/wait", "", {}, "", ""},
                     [&](RouteResponse r) { first = std::move(r); });
    test.host->route({"GET", "/wait", "", {}, "", ""},
                     [&](RouteResponse r) { second = std::move(r); });
    test.settle();
    CHECK(test.request({"GET", "/wait", "", {}, "", ""})->status == 503);
    // A namespace that goes answers whoever still waits.
    test.advance(2);
    test.folder.write("main.lua", "namespace '/t'");
    CHECK(test.reload() == Lines{});
    CHECK_FALSE(test.request({"GET", "/wait", "", {}, "", ""}));
    test.host->stop();
    test.settle();
    REQUIRE(first);
    CHECK(first->status == 503);
    CHECK(second->status == 503);
}

TEST_CASE("routes that can't be served are errors at load") {
    const std::pair<const char*, const char*> cases[] = {
        {"route('GET', '/a/:x', f) route('GET', '/a/:y', f)",
         "a second route GET /a/:y (the first is at app/main.lua:3)"},
        {"route('GET', 'a', f)", "starts with '/'"},
        {"route('GET', '/:', f)", "needs a name"},
        {"route('GET', '/:a/:a', f)", "appears twice"},
        {"route('FETCH', '/a', f)", "an HTTP method expected"},
        {"route('GET', '/a', { roles = { 'admin' } }, f)", "needs a plugin that verifies tokens"},
        {"route('GET', '/a', { typo = 1 }, f)", "route has no option 'typo'"},
        {"route('GET', '/a', { schema = 1 }, f)", "schema"},
        {"route('GET', '/a')", "function expected"},
    };
    for (const auto& [code, message] : cases) {
        ScriptTest test;
        const Lines errors =
            test.load_errors("namespace '/t'\nlocal f = function() end\n" + std::string(code));
        REQUIRE(errors.size() == 1);
        CHECK_MESSAGE(errors[0].find(message) != std::string::npos, errors[0]);
        CHECK(errors[0].starts_with("app/main.lua:3: "));
    }
    ScriptTest test;
    test.folder.write("a.lua",
                      "namespace '/a'\nroute('GET', '/x', function() return 200, 'a' end)");
    test.folder.write("b.lua",
                      "namespace '/b'\nroute('GET', '/x', function() return 200, 'b' end)");
    CHECK(test.load_errors() ==
          Lines{"app/b.lua:2: a second route GET /x (the first is at app/a.lua:2)"});
    CHECK(test.request({"GET", "/x", "", {}, "", ""})->body == "a");
    CHECK(test.reload() ==
          Lines{"app/b.lua:2: a second route GET /x (the first is at app/a.lua:2)"});
    // A route may move from one namespace to another in one edit.
    test.folder.write("a.lua", "namespace '/a'");
    CHECK(test.reload() == Lines{});
    CHECK(test.request({"GET", "/x", "", {}, "", ""})->body == "b");
}

TEST_CASE("ask waits no longer than it was told, or than the default") {
    for (std::size_t reactors : {1, 2}) {
        ScriptTest test(reactors);
        test.folder.write("a.lua", R"(
local ns = namespace "/a"
ns:on("short", function() return namespace_of("/b"):timeout(2):ask("slow", 5) end)
ns:on("long", function() return namespace_of("/b"):timeout(60):ask("slow", 50) end)
ns:on("default", function() return ask("/b", "slow", 50) end)
ns:on("own", function() return ns:timeout(1):ask("mine", 1), ns:ask("mine", 2) end)
ns:on("room", function() return pcall(function() return ns:to("r"):ask("mine") end) end)
ns:on("socket", function(socket) return pcall(function() socket:broadcast():ask("mine") end) end)
ns:serve("mine", function(x) return x * 2 end)
)");
        test.folder.write("b.lua", R"(
namespace("/b"):serve("slow", function(seconds) sleep(seconds) return seconds end)
)");
        test.load();
        const auto client = test.join("/a");
        const auto ask = [&](const std::string& json) { return test.ask(client, json, "/a"); };
        client->receive(R"(2/a,1["short"])");
        client->receive(R"(2/a,2["long"])");
        client->receive(R"(2/a,3["default"])");
        test.settle();
        test.advance(2);
        CHECK(client->take() == Lines{R"(3/a,1[null,"timeout"])"});
        test.advance(27);
        CHECK(client->take() == Lines{});
        test.advance(1);
        CHECK(client->take() == Lines{R"(3/a,3[null,"timeout"])"});
        test.advance(21);
        CHECK(client->take() == Lines{"3/a,2[50]"});
        CHECK(ask(R"(["own"])") == "[2,4]");
        CHECK(ask(R"(["room"])").find("ask is for namespaces") != std::string::npos);
        CHECK(ask(R"(["socket"])").find("ask is for namespaces") != std::string::npos);
    }
}

TEST_CASE("who asked a namespace that is reloaded gets the old code's answer") {
    ScriptTest test;
    test.folder.write("a.lua",
                      "namespace('/a'):on('ask', function() return ask('/b', 'slow') end)");
    test.folder.write("b.lua",
                      "namespace('/b'):serve('slow', function() sleep(5) return 'old' end)");
    test.load();
    const auto client = test.join("/a");
    client->receive(R"(2/a,1["ask"])");
    test.settle();
    test.folder.write("b.lua", "namespace('/b'):serve('slow', function() return 'new' end)");
    CHECK(test.reload() == Lines{});
    test.advance(5);
    CHECK(client->take() == Lines{R"(3/a,1["old"])"});
    CHECK(test.ask(client, R"(["ask"])", "/a") == R"(["new"])");
}

TEST_CASE("asks may go in a circle, and one without an end meets a limit") {
    ScriptTest test;
    test.options.limits.tasks = 20;
    test.folder.write("a.lua", R"(
local ns = namespace "/a"
ns:on("down", function(socket, n) return ask("/b", "down", n) end)
ns:on("forever", function() return ask("/b", "forever") end)
ns:serve("down", function(n) if n == 0 then return "bottom" end return ask("/b", "down", n - 1) end)
ns:serve("forever", function() return ask("/b", "forever") end)
)");
    test.folder.write("b.lua", R"(
local ns = namespace "/b"
ns:serve("down", function(n) return ask("/a", "down", n) end)
ns:serve("forever", function() return ask("/a", "forever") end)
)");
    test.load();
    const auto client = test.join("/a");
    for (int i = 0; i < 20; ++i) test.settle();
    client->receive(R"(2/a,1["down",5])");
    client->receive(R"(2/a,2["forever"])");
    for (int i = 0; i < 40; ++i) test.settle();
    CHECK(test.answer(client, "1", "/a") == R"(["bottom"])");
    CHECK(test.answer(client, "2", "/a") == R"([null,"too many handlers are waiting"])");
    for (const auto& each : test.host->stats()) CHECK(each.coroutines == 0);
}
