#include "tests/script/host_fixture.hpp"
#include "tests/script/log_capture.hpp"

using namespace moonwire;
using namespace moonwire::script;

namespace {

constexpr auto kBudget = std::chrono::milliseconds(20);

/// A namespace whose handlers may run for 20 ms.
struct GuardedTest : ScriptTest {
    GuardedTest() {
        options.limits.handler = kBudget;
        options.limits.load = kBudget * 20;
        options.limits.memory_bytes = 32u << 20;
    }
};

}  // namespace

TEST_CASE("a handler that runs on is stopped: busy for its client, a line for the log") {
    const std::pair<const char*, const char*> cases[] = {
        {"endless", "while true do end"},
        {"numeric", "local x = 0 for i = 1, 1e15 do x = x + i * 2 % 7 end return x"},
        {"pcall", "while true do pcall(function() while true do end end) end"},
        {"tail pcall", "return pcall(function() while true do end end)"},
        {"nested pcall", "local function f() pcall(f) pcall(f) end while true do f() end"},
        {"xpcall", "local function loop() while true do end end xpcall(loop, loop)"},
        {"xpcall handler", "xpcall(function() error('x') end, function() while true do end end)"},
        {"metamethod", "local t = setmetatable({}, { __index = function(t, k) while true do end end }) return t.x"},
        {"sort", "local t = {} for i = 1, 100 do t[i] = i % 7 end while true do table.sort(t) end"},
        {"sort callback", "table.sort({3, 2, 1}, function() while true do end end)"},
        {"gsub callback", "return (('x'):gsub('x', function() while true do end end))"},
        {"pattern", "return (('a'):rep(500):find('.-.-.-b'))"},
        {"pattern, often", "for i = 1, 1e9 do (('a'):rep(30)):find('.-.-.-b') end"},
        {"iterator", "for _ in function() return 1 end do end"},
        {"strings", "while true do local s = ('x'):rep(1000) .. tostring({}) end"},
        {"json", "local t = {} for i = 1, 1e5 do t[i] = i end while true do json.encode(t) end"},
        {"recursion", "local function f(n) if n == 0 then return 0 end return f(n - 1) + f(n - 1) end return f(60)"},
    };
    for (const auto& [name, code] : cases) {
        CAPTURE(std::string(name));
        GuardedTest test;
        test.load("local ns = namespace '/t'\nns:on('e', function(socket)\n" + std::string(code) +
                  "\nend)\nns:on('echo', function(socket, x) return x end)");
        const auto client = test.join();
        LogCapture log;
        CHECK(test.ask(client, R"(["e"])") ==
              R"([{"error":{"code":"busy","message":"the handler ran too long"}}])");
        const std::string text = log.text();
        CHECK_MESSAGE(text.find("app/main.lua:") != std::string::npos, text);
        CHECK_MESSAGE(text.find("event=e") != std::string::npos, text);
        // The next event is none the worse for it.
        for (int i = 0; i < 3; ++i) CHECK(test.ask(client, R"(["echo",1])") == "[1]");
        CHECK(test.host->stats().at(0).handlers_stopped == 1);
        CHECK(test.host->stats().at(0).coroutines == 0);
    }
}

TEST_CASE("an error that takes for ever to say what it is does not hold the namespace") {
    GuardedTest test;
    test.load(R"(
local ns = namespace "/t"
ns:on("e", function() error(setmetatable({}, { __tostring = function() while true do end end })) end)
ns:on("echo", function(socket, x) return x end)
)");
    const auto client = test.join();
    LogCapture log;
    CHECK(test.ask(client, R"(["e"])").find("internal") != std::string::npos);
    CHECK(test.ask(client, R"(["echo",1])") == "[1]");
}

TEST_CASE("the line that ran is in the message") {
    GuardedTest test;
    test.load("local ns = namespace '/t'\nns:on('e', function()\nlocal x = 1\nwhile true do\n\nend\nend)");
    const auto client = test.join();
    LogCapture log;
    test.ask(client, R"(["e"])");
    CHECK_MESSAGE(log.text().find("app/main.lua:4: stopped after 20 ms without waiting") !=
                      std::string::npos,
                  log.text());
}

TEST_CASE("the budget is that of one run: who waits begins anew") {
    GuardedTest test;
    test.options.limits.handler = std::chrono::milliseconds(200);
    test.load(R"(
local ns = namespace "/t"
ns:on("e", function()
  for i = 1, 10 do
    local t = os.clock()
    while os.clock() - t < 0.03 do end
    sleep(0.001)
  end
  return "done"
end)
)");
    const auto client = test.join();
    client->receive(R"(2/t,1["e"])");
    for (int i = 0; i < 20; ++i) test.advance(0.001);
    CHECK(client->take() == Lines{R"(3/t,1["done"])"});
}

TEST_CASE("middleware, routes, services, timers and spawned functions are stopped, too") {
    GuardedTest test;
    test.load(R"(
local ns = namespace "/t"
ns:use(function(socket) if socket.handshake.auth.hang then while true do end end end)
route("GET", "/hang", function() while true do end end)
ns:serve("hang", function() while true do end end)
ns:on("ask", function() return ask("/t", "hang") end)
ns:on("spawn", function() spawn(function() while true do end end) after(1, function() while true do end end) end)
ns:on("echo", function(socket, x) return x end)
)");
    const auto client = test.join();
    LogCapture log;
    const auto refused = test.knock("/t", R"({"hang":true})");
    CHECK(refused->take() ==
          Lines{R"(4/t,{"message":"the handler ran too long","data":{"code":"busy"}})"});
    CHECK(test.request({"GET", "/hang", "", {}, "", ""})->status == 503);
    CHECK(test.ask(client, R"(["ask"])").find("\"busy\"") != std::string::npos);
    test.send(client, R"(["spawn"])");
    test.advance(2);
    CHECK(test.host->stats().at(0).handlers_stopped == 5);
    CHECK(test.ask(client, R"(["echo",1])") == "[1]");
}

TEST_CASE("a load that never ends is an error with its line, at the start and at a reload") {
    GuardedTest test;
    CHECK(test.load_errors("local ns = namespace '/t'\nlocal x = 1\nwhile true do end") ==
          Lines{"app/main.lua:3: stopped after 400 ms without waiting"});
    GuardedTest other;
    other.load("local ns = namespace '/t'\nns:on('e', function() return 1 end)");
    const auto client = other.join();
    other.folder.write("lib/slow.lua", "local x\nwhile true do x = 1 end");
    CHECK(other.reload("local ns = namespace '/t'\nrequire 'lib.slow'") ==
          Lines{"app/lib/slow.lua:2: stopped after 400 ms without waiting"});
    CHECK(other.ask(client, R"(["e"])") == "[1]");
    CHECK(other.reload("local ns = namespace '/t'\nns:on_reload(function()\nwhile true do end end)")
              .at(0)
              .find(":3: on_reload: stopped after 400 ms") != std::string::npos);
    CHECK(other.ask(client, R"(["e"])") == "[1]");
}

TEST_CASE("too much memory is an error of the handler that wants it") {
    const char* cases[] = {
        "return #string.rep('x', 2^30)",
        "local t = {} while true do t[#t + 1] = ('x'):rep(10000) .. #t end",
        "local s = 'x' while true do s = s .. s end",
        "return #table.concat({ ('x'):rep(2^24), ('y'):rep(2^24) })",
    };
    for (const char* code : cases) {
        CAPTURE(std::string(code));
        GuardedTest test;
        test.options.limits.handler = std::chrono::seconds(30);
        test.load("local ns = namespace '/t'\nns:on('e', function()\n" + std::string(code) +
                  "\nend)\nns:on('echo', function(socket, x) return x end)");
        const auto client = test.join();
        LogCapture log;
        CHECK(test.ask(client, R"(["e"])").find("internal") != std::string::npos);
        CHECK_MESSAGE(log.text().find("not enough memory") != std::string::npos, log.text());
        for (int i = 0; i < 3; ++i) CHECK(test.ask(client, R"(["echo",1])") == "[1]");
    }
}

TEST_CASE("floods of coroutines and timers end at their limits, and the namespace goes on") {
    GuardedTest test;
    test.options.limits.handler = std::chrono::seconds(30);
    test.options.limits.tasks = 1000;
    test.options.limits.timers = 1000;
    test.load(R"(
local ns = namespace "/t"
local function bomb() after(0.001, bomb) after(0.001, bomb) end
ns:on("timers", function() bomb() return true end)
ns:on("tasks", function() for i = 1, 5000 do spawn(function() sleep(1) end) end return true end)
ns:on("echo", function(socket, x) return x end)
)");
    const auto client = test.join();
    LogCapture log;
    CHECK(test.ask(client, R"(["tasks"])") == "[true]");
    CHECK(log.text().find("too many handlers are waiting") != std::string::npos);
    test.advance(1.5);
    CHECK(test.host->stats().at(0).coroutines == 0);
    CHECK(test.ask(client, R"(["timers"])") == "[true]");
    for (int i = 0; i < 30; ++i) test.advance(0.01);
    CHECK(log.text().find("too many timers (the limit is 1000)") != std::string::npos);
    CHECK(test.ask(client, R"(["echo",1])") == "[1]");
}

TEST_CASE("a namespace with the JIT on works; its loads are still stopped when they are tried") {
    GuardedTest test;
    test.options.namespaces["/t"].limits.jit = true;
    test.options.namespaces["/t"].limits.load = kBudget * 20;
    test.load("local ns = namespace '/t'\nns:on('sum', function(socket, n) local x = 0 for i = 1, n do x = x + i end return x end)");
    const auto client = test.join();
    for (int i = 0; i < 100; ++i) CHECK(test.ask(client, R"(["sum",1000])") == "[500500]");
    CHECK(test.reload("local ns = namespace '/t'\nwhile true do end") ==
          Lines{"app/main.lua:2: stopped after 400 ms without waiting"});
}
