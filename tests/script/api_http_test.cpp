#include "tests/script/fake_http.hpp"
#include "tests/script/host_fixture.hpp"
#include "tests/script/log_capture.hpp"

using namespace moonwire;
using namespace moonwire::script;

namespace {

struct HttpTest : ScriptTest {
    HttpTest() { options.http = &http; }
    ~HttpTest() { http.pending.clear(); }
    FakeHttp http;
};

using Headers = std::vector<std::pair<std::string, std::string>>;

}  // namespace

TEST_CASE("http.request sends what it is told and waits for the response") {
    HttpTest test;
    test.load(R"(
local ns = namespace "/t"
ns:on("get", function() local r = http.request { url = "http://x/a" } return r.status, r.body, r.json end)
ns:on("post", function()
  local r = http.request { url = "https://x/b", json = { a = json.array {} }, timeout = 1.5,
    headers = { ["X-Key"] = "k" } }
  return r.status, r.headers["content-type"], r.headers["x-two"], r.headers["set-cookie"], r.json
end)
ns:on("put", function() return http.request { url = "http://x", method = "put", body = bytes("\0\1") }.body end)
ns:on("typed", function()
  return http.request { url = "http://x", json = null, headers = { ["Content-Type"] = "application/ld+json" } }.json
end)
)");
    const auto client = test.join();
    client->receive(R"(2/t,1["get"])");
    test.settle();
    REQUIRE(test.http.requests.size() == 1);
    CHECK(test.http.requests[0].method == "GET");
    CHECK(test.http.requests[0].url == "http://x/a");
    CHECK(test.http.requests[0].headers.empty());
    CHECK(test.http.requests[0].timeout == std::chrono::seconds(30));
    CHECK(client->take() == Lines{});
    test.http.answer(IncomingResponse{200, {{"content-type", "text/plain"}}, "{}"});
    CHECK(client->take() == Lines{R"(3/t,1[200,"{}",null])"});

    client->receive(R"(2/t,2["post"])");
    test.settle();
    CHECK(test.http.requests[1].method == "POST");
    CHECK(test.http.requests[1].body == R"({"a":[]})");
    CHECK(test.http.requests[1].timeout == std::chrono::milliseconds(1500));
    CHECK(test.http.requests[1].headers ==
          Headers{{"x-key", "k"}, {"content-type", "application/json"}});
    test.http.answer(IncomingResponse{201,
                                      {{"content-type", "application/json; charset=utf-8"},
                                       {"x-two", "1"},
                                       {"set-cookie", "a=1"},
                                       {"x-two", "2"},
                                       {"set-cookie", "b=2"}},
                                      R"([1,{"b":null}])"});
    CHECK(client->take() == Lines{R"(3/t,2[201,"application/json; charset=utf-8","1, 2",)"
                                  R"(["a=1","b=2"],[1,{"b":null}]])"});

    client->receive(R"(2/t,3["put"])");
    test.settle();
    CHECK(test.http.requests[2].method == "PUT");
    CHECK(test.http.requests[2].body == std::string("\0\1", 2));
    CHECK(test.http.requests[2].headers.empty());
    test.http.answer(IncomingResponse{204, {}, ""});
    CHECK(client->take() == Lines{R"(3/t,3[""])"});

    client->receive(R"(2/t,4["typed"])");
    test.settle();
    CHECK(test.http.requests[3].body == "null");
    CHECK(test.http.requests[3].headers == Headers{{"content-type", "application/ld+json"}});
    // It says that it is JSON, and is none.
    test.http.answer(IncomingResponse{200, {{"content-type", "application/json"}}, "{oops"});
    CHECK(client->take() == Lines{"3/t,4[null]"});
}

TEST_CASE("http.request returns nil and why when there is no answer") {
    HttpTest test;
    test.load(R"(
local ns = namespace "/t"
ns:on("get", function() return http.request { url = "http://x" } end)
)");
    const auto client = test.join();
    client->receive(R"(2/t,1["get"])");
    test.settle();
    test.http.answer(Error{"timeout"});
    CHECK(client->take() == Lines{R"(3/t,1[null,"timeout"])"});
}

TEST_CASE("without a client http.request says so") {
    ScriptTest test;
    test.load(R"(
local ns = namespace "/t"
ns:on("get", function() return http.request { url = "http://x" } end)
)");
    const auto client = test.join();
    CHECK(test.ask(client, R"(["get"])") == R"([null,"http.request is not available here"])");
}

TEST_CASE("http.request is not for a file that loads") {
    ScriptTest test;
    CHECK(test.load_errors("namespace '/t'\nhttp.request { url = 'http://x' }") ==
          Lines{"app/main.lua:2: http.request can't be used while a file loads"});
}

TEST_CASE("what is wrong with a request is an error that names it") {
    HttpTest test;
    test.load(R"(
local ns = namespace "/t"
local wrong = {
  nothing = 1,
  no_url = {},
  number = { url = 5 },
  unknown = { url = "http://x", retries = 3 },
  listed = { url = "http://x", "GET" },
  method = { url = "http://x", method = "CONNECT" },
  kind = { url = "http://x", method = 1 },
  name = { url = "http://x", headers = { ["a b"] = "1" } },
  injection = { url = "http://x", headers = { a = "1\r\nb: 2" } },
  value = { url = "http://x", headers = { a = true } },
  headers = { url = "http://x", headers = "a: b" },
  own = { url = "http://x", headers = { ["Content-Length"] = "5" } },
  body = { url = "http://x", body = {} },
  both = { url = "http://x", body = "", json = 1 },
  json = { url = "http://x", json = { a = { b = 0/0 } } },
  timeout = { url = "http://x", timeout = -1 },
}
ns:on("e", function(socket, name) return (select(2, pcall(http.request, wrong[name]))) end)
)");
    const auto client = test.join();
    const std::pair<const char*, const char*> expected[] = {
        {"nothing", "table expected"},
        {"no_url", "url must be a string"},
        {"number", "url must be a string"},
        {"unknown", "no field 'retries'"},
        {"listed", "no field 'number'"},
        {"method", "the method must be GET"},
        {"kind", "the method must be GET"},
        {"name", "the header 'a b' has characters"},
        {"injection", "the header 'a' has characters"},
        {"value", "strings"},
        {"headers", "headers are a table"},
        {"own", "the header 'content-length' is set by the client"},
        {"body", "not a table"},
        {"both", "not both"},
        {"json", "json.a.b: NaN"},
        {"timeout", "not negative"}};
    for (const auto& [name, message] : expected) {
        const std::string answer = test.ask(client, "[\"e\",\"" + std::string(name) + "\"]");
        CHECK_MESSAGE(answer.find(message) != std::string::npos, name, ": ", answer);
    }
    CHECK(test.http.requests.empty());
}

TEST_CASE("an answer that comes after its namespace was shut is dropped") {
    FakeHttp http;
    {
        ScriptTest test;
        test.options.http = &http;
        test.load(R"(
local ns = namespace "/t"
ns:on("get", function() return http.request { url = "http://x" } end)
spawn(function() http.request { url = "http://y" } ns:emit("late") end)
)");
        const auto client = test.join();
        client->receive(R"(2/t,1["get"])");
        test.settle();
        REQUIRE(http.pending.size() == 2);
        // A reload ends what waits in the background, and leaves the handler waiting.
        CHECK(test.reload("local ns = namespace '/t'") == Lines{});
        http.answer(IncomingResponse{200, {}, ""});
        test.settle();
        CHECK(client->take() == Lines{});
        http.answer(Error{"timeout"});
        CHECK(client->take() == Lines{R"(3/t,1[null,"timeout"])"});
        test.reload("local ns = namespace '/t' ns:on('get', function() return http.request { url = 'http://x' } end)");
        client->receive(R"(2/t,2["get"])");
        test.settle();
    }
    while (!http.pending.empty()) http.answer(Error{"timeout"});
}
