#include "tests/script/host_fixture.hpp"
#include "tests/script/log_capture.hpp"

using namespace moonwire;
using namespace moonwire::script;

namespace {

/// "yes name=value…", "no message", or nothing yet.
struct Hooked : ScriptTest {
    std::shared_ptr<std::string> start(RouteRequest request = {
                                           "GET", "/socket.io/", "a=1", {}, "", "10.0.0.1", true}) {
        auto answer = std::make_shared<std::string>();
        host->ask_request_hooks(std::move(request), [answer](RequestDecision decision) {
            CHECK(answer->empty());
            *answer = decision.allowed ? "yes" : "no " + decision.message;
            for (const auto& [name, value] : decision.headers) *answer += " " + name + "=" + value;
        });
        settle();
        return answer;
    }
    std::string answer() { return *start(); }
    using ScriptTest::ScriptTest;
};

}  // namespace

TEST_CASE("without an on_request there is nothing to ask") {
    Hooked test;
    test.load("namespace '/t'");
    CHECK(!test.host->has_request_hooks());
    CHECK(test.answer() == "yes");
}

TEST_CASE("on_request sees the request and may give its answer headers") {
    Hooked test;
    test.load(R"(
namespace "/t"
on_request(function(request)
  return { ["X-Seen"] = table.concat({ request.method, request.path, request.url, request.query.a,
    request.headers["user-agent"], request.address, tostring(request.secure) }, " ") }
end)
on_request(function() end)
on_request(function() return { ["x-more"] = "2" } end)
)");
    CHECK(test.host->has_request_hooks());
    CHECK(*test.start({"GET", "/socket.io/", "a=1&b", {{"User-Agent", "test"}}, "", "::1", true}) ==
          "yes x-seen=GET /socket.io/ /socket.io/?a=1&b 1 test ::1 true x-more=2");
}

TEST_CASE("on_request refuses by fail, and a bug refuses without a word") {
    Hooked test;
    SUBCASE("with a message") {
        test.load("namespace '/t' on_request(function() fail('not you') end)");
        CHECK(test.answer() == "no not you");
    }
    SUBCASE("with a code and a message") {
        test.load("namespace '/t' on_request(function() fail('unauthorized', 'no token') end)");
        CHECK(test.answer() == "no no token");
    }
    LogCapture log;
    SUBCASE("by an error") {
        test.load("namespace '/t' on_request(function() error('oops') end)");
        CHECK(test.answer() == "no ");
        CHECK(log.text().find("oops") != std::string::npos);
    }
    SUBCASE("by a result that is no table of headers") {
        test.load("namespace '/t' on_request(function() return 7 end)");
        CHECK(test.answer() == "no ");
        CHECK(log.text().find("headers are a table") != std::string::npos);
    }
    SUBCASE("by a header that HTTP does not allow") {
        test.load("namespace '/t' on_request(function() return { a = 'x\\r\\ny: z' } end)");
        CHECK(test.answer() == "no ");
    }
    SUBCASE("by a header that is the broker's own") {
        test.load("namespace '/t' on_request(function() return { Upgrade = 'x' } end)");
        CHECK(test.answer() == "no ");
        CHECK(log.text().find("the header 'upgrade' is the broker's own") != std::string::npos);
    }
}

TEST_CASE("on_request may wait, and what follows a refusal is not asked") {
    Hooked test(2);
    test.folder.write("a.lua", R"(namespace "/a"
on_request(function() sleep(2) return { a = "1" } end))");
    test.folder.write("b.lua", R"(local ns = namespace "/b"
on_request(function(request)
  ns.state.asked = (ns.state.asked or 0) + 1
  if request.query.a == "2" then fail("two") end
end)
ns:on("asked", function() return ns.state.asked end))");
    test.folder.write("c.lua", R"(local ns = namespace "/c"
on_request(function() ns.state.asked = (ns.state.asked or 0) + 1 return { c = "3" } end)
ns:on("asked", function() return ns.state.asked end))");
    test.load();
    const auto one = test.start();
    const auto two = test.start({"GET", "/", "a=2", {}, "", "", false});
    CHECK(one->empty());
    test.advance(2);
    CHECK(*one == "yes a=1 c=3");
    CHECK(*two == "no two");
    CHECK(test.ask(test.join("/b"), R"(["asked"])", "/b") == "[2]");
    CHECK(test.ask(test.join("/c"), R"(["asked"])", "/c") == "[1]");
}

TEST_CASE("a reload swaps on_request; one that waits ends with the code that it started with") {
    Hooked test;
    test.load("namespace '/t' on_request(function() sleep(1) return { v = '1' } end)");
    const auto waiting = test.start();
    CHECK(test.reload("namespace '/t' on_request(function() return { v = '2' } end)").empty());
    CHECK(test.answer() == "yes v=2");
    test.advance(1);
    CHECK(*waiting == "yes v=1");
    CHECK(test.reload("namespace '/t'").empty());
    CHECK(!test.host->has_request_hooks());
    CHECK(test.answer() == "yes");
}

TEST_CASE("a namespace that goes refuses whom it kept waiting") {
    Hooked test;
    test.load("namespace '/t' on_request(function() sleep(100) end)");
    const auto waiting = test.start();
    test.folder.remove("main.lua");
    test.folder.write("other.lua", "namespace '/u'");
    CHECK(test.reload().empty());
    test.advance(10);
    CHECK(*waiting == "no ");
    CHECK(!test.host->has_request_hooks());
}

TEST_CASE("over the limit of coroutines on_request refuses as busy") {
    Hooked test;
    test.options.limits.tasks = 1;
    test.load("namespace '/t' on_request(function() sleep(1) end)");
    const auto first = test.start();
    CHECK(test.answer() == "no too many handlers are waiting");
    test.advance(1);
    CHECK(*first == "yes");
}

TEST_CASE("on_request takes a function, while a file loads") {
    Hooked test;
    CHECK(test.load_errors("namespace '/t' on_request(7)").size() == 1);
    test.load("local ns = namespace '/t' ns:on('late', function() on_request(print) end)");
    LogCapture log;
    test.ask(test.join(), R"(["late"])");
    CHECK(log.text().find("on_request can only be used while a file loads") != std::string::npos);
}
