#include "core/script/extensions.hpp"
#include "tests/script/host_fixture.hpp"
#include "tests/script/log_capture.hpp"

using namespace moonwire;
using namespace moonwire::script;

namespace {

using plugin::Verdict;

/// Keeps what it is asked; the test decides.
struct FakeAuthenticator final : plugin::Authenticator {
    void verify(plugin::Credentials credentials, std::function<void(Verdict)> decide) override {
        asked.push_back(credentials.token + " from " + credentials.address);
        if (answer) return decide(*answer);
        pending.push_back(std::move(decide));
    }
    Lines asked;
    std::optional<Verdict> answer;  // given at once
    std::vector<std::function<void(Verdict)>> pending;
};

struct AuthTest : ScriptTest {
    explicit AuthTest(socketio::ServerOptions server_options = {}) : ScriptTest(1, server_options) {
        auto extensions = std::make_shared<Extensions>();
        extensions->authenticator = authenticator;
        options.limits.extensions = std::move(extensions);
    }
    void accept(std::string claims, double expires = 0) {
        authenticator->answer = Verdict::accept(std::move(claims), expires);
    }
    std::uint64_t refused() const { return host->stats().front().tokens_refused; }
    const std::shared_ptr<FakeAuthenticator> authenticator = std::make_shared<FakeAuthenticator>();
};

constexpr double kStart = 1'700'000'000;

constexpr std::string_view kGuarded = R"(
local ns = namespace "/t"
ns:require_auth { roles = { "driver", "admin" } }
ns:use(function(socket) socket.data.seen = socket.data.user.sub end)
ns:on("who", function(socket)
  local user = socket.data.user
  return user.sub, user.role, socket.data.seen
end)
ns:on("refresh", function(socket, x)
  local done, why, code = socket:refresh(x)
  return type(done) == "table" and done.role or done, why, code
end)
)";

}  // namespace

TEST_CASE("require_auth lets in whose token is accepted, with its claims in socket.data.user") {
    AuthTest test;
    test.load(kGuarded);
    test.accept(R"({"sub":"u1","role":"driver"})");
    const auto client = test.join("/t", R"({"token":"abc"})");
    CHECK(test.ask(client, R"(["who"])") == R"(["u1","driver","u1"])");
    CHECK(test.authenticator->asked == Lines{"abc from 10.0.0.1"});
}

TEST_CASE("a token is sought in auth, then in the query, then in the Authorization header") {
    AuthTest test;
    test.load(kGuarded);
    test.accept(R"({"roles":["x","admin"]})");
    test.join("/t", R"({"token":"from auth"})");
    test.join("/t", "{}");
    auto client = test.open();
    client->details->query.clear();
    client->details->headers = {{"authorization", "bEARER  from.header"}};
    client->receive("0/t,");
    test.settle();
    CHECK(client->take().front().starts_with("0/t,{"));
    CHECK(test.authenticator->asked ==
          Lines{"from auth from 10.0.0.1", "q1 from 10.0.0.1", "from.header from 10.0.0.1"});
}

TEST_CASE(
    "others are refused with a code, counted, and logged with their address, never the token") {
    AuthTest test;
    LogCapture log;
    test.load(kGuarded);
    const auto answer_to = [&](std::string_view auth) {
        const auto client = test.knock("/t", auth);
        return client->take();
    };
    test.authenticator->answer = Verdict::refuse("unauthorized", "the signature does not hold");
    CHECK(answer_to(R"({"token":"s3cret"})") ==
          Lines{R"(4/t,{"message":"the signature does not hold","data":{"code":"unauthorized"}})"});
    test.authenticator->answer = Verdict::refuse("token_expired", "the token has expired");
    CHECK(answer_to(R"({"token":"s3cret"})") ==
          Lines{R"(4/t,{"message":"the token has expired","data":{"code":"token_expired"}})"});
    CHECK(test.refused() == 2);
    test.accept(R"({"sub":"u1","type":"passenger"})");
    CHECK(answer_to(R"({"token":"s3cret"})") ==
          Lines{R"(4/t,{"message":"not for your role","data":{"code":"forbidden"}})"});
    test.accept("[1");
    CHECK(answer_to(R"({"token":"s3cret"})").front().find("unavailable") != std::string::npos);
    auto client = test.open();
    client->details->query.clear();
    client->receive("0/t,{\"token\":5}");
    test.settle();
    CHECK(client->take() == Lines{R"(4/t,{"message":"no token","data":{"code":"unauthorized"}})"});
    CHECK(test.refused() == 3);
    CHECK_FALSE(log.has("s3cret"));
}

TEST_CASE("with optional, who brings no token comes as nobody; a bad one is refused all the same") {
    AuthTest test;
    test.load(R"(
local ns = namespace "/t"
ns:require_auth { optional = true }
ns:on("who", function(socket) return socket.data.user == nil end)
)");
    auto client = test.open();
    client->details->query.clear();
    client->receive("0/t,");
    test.settle();
    client->take();
    CHECK(test.ask(client, R"(["who"])") == "[true]");
    test.authenticator->answer = Verdict::refuse("unauthorized", "forged");
    CHECK(test.knock("/t", R"({"token":"x"})")->take().front().starts_with("4/t,"));
}

TEST_CASE("a client may wait for its verdict, and leave meanwhile") {
    AuthTest test;
    test.load(kGuarded);
    const auto staying = test.knock("/t", R"({"token":"a"})");
    const auto leaving = test.knock("/t", R"({"token":"b"})");
    CHECK(staying->take().empty());
    leaving->finish();
    test.settle();
    for (auto& decide : std::exchange(test.authenticator->pending, {}))
        decide(Verdict::accept(R"({"role":"admin"})"));
    test.settle();
    CHECK(staying->take().front().starts_with("0/t,{"));
    const auto forgotten = test.knock("/t", R"({"token":"c"})");
    test.authenticator->pending.clear();
    test.settle();
    CHECK(forgotten->take().front().find("unavailable") != std::string::npos);
}

TEST_CASE("when its token expires a connected client is told, and put out") {
    AuthTest test;
    test.load(kGuarded);
    test.accept(R"({"role":"driver"})", kStart + 2000);
    const auto client = test.join();
    test.advance(1999);
    CHECK(client->take().empty());
    test.advance(2);
    CHECK(client->take() ==
          Lines{R"(2/t,["error",{"code":"token_expired","message":"the token has expired"}])",
                "1/t,"});
    CHECK(test.host->stats().front().tokens_expired == 1);
}

TEST_CASE("socket:refresh gives it another end, by a time or by a newer token of the same user") {
    AuthTest test;
    test.load(kGuarded);
    test.accept(R"({"sub":"u1","role":"driver"})", kStart + 10);
    const auto client = test.join();
    CHECK(test.ask(client, R"(["refresh",1700000100])") == "[true,null,null]");
    test.advance(50);
    CHECK(client->take().empty());
    test.accept(R"({"sub":"u1","role":"admin"})", kStart + 200);
    CHECK(test.ask(client, R"(["refresh","newer"])") == R"(["admin",null,null])");
    CHECK(test.ask(client, R"(["who"])") == R"(["u1","admin","u1"])");
    test.advance(100);
    CHECK(client->take().empty());

    test.accept(R"({"sub":"u2","role":"admin"})", kStart + 900);
    CHECK(test.ask(client, R"(["refresh","another's"])") ==
          R"([null,"the token is another's","unauthorized"])");
    test.accept(R"({"sub":"u1","role":"passenger"})", kStart + 900);
    CHECK(test.ask(client, R"(["refresh","lesser"])") ==
          R"([null,"not for your role","forbidden"])");
    test.authenticator->answer = Verdict::refuse("token_expired", "the token has expired");
    CHECK(test.ask(client, R"(["refresh","older"])") ==
          R"([null,"the token has expired","token_expired"])");
    CHECK(test.ask(client, R"(["refresh",null])").find("internal") != std::string::npos);
    CHECK(test.ask(client, R"(["who"])") == R"(["u1","admin","u1"])");
    test.advance(51);
    CHECK(client->take().back() == "1/t,");
}

TEST_CASE("a token's end is kept by who comes back, and by a reload") {
    socketio::ServerOptions server;
    server.nsp.recovery.enabled = true;
    AuthTest test(server);
    test.load(kGuarded);
    test.accept(R"({"role":"driver"})", kStart + 30);
    const auto client = test.knock();
    const std::string answer = client->take().front();
    const std::size_t pid = answer.find("\"pid\":\"") + 7;
    test.reload(std::string(kGuarded) +
                "\nns:on_connect(function(s) s:emit('hi', s.data.user.role) end)");
    // An event gives it an offset to come back to.
    const auto other = test.join();
    test.reload(std::string(kGuarded) + "\nns:on('all', function() ns:emit('e') end)");
    test.ask(other, R"(["all"])");
    const std::string event = client->take().back();
    const std::size_t start = event.find(",\"") + 2;
    client->finish();
    test.settle();
    test.advance(20);
    const auto back = test.knock(
        "/t", "{\"pid\":\"" + answer.substr(pid, answer.find('"', pid) - pid) + "\",\"offset\":\"" +
                  event.substr(start, event.find('"', start) - start) + "\"}");
    CHECK(back->take().front().find("\"pid\"") != std::string::npos);
    CHECK(test.ask(back, R"(["who"])").find("driver") != std::string::npos);
    test.advance(11);
    CHECK(back->take().back() == "1/t,");
}

TEST_CASE("a route with roles answers who has one, whose claims are request.user") {
    AuthTest test;
    test.load(R"(
local ns = namespace "/t"
route("GET", "/admin", { roles = "admin" }, function(request) return 200, request.user.sub end)
route("GET", "/any", { auth = true }, function(request) return 200, request.user.sub end)
route("GET", "/maybe", { auth = "optional" }, function(request) return 200, { request.user or "nobody" } end)
)");
    const auto get = [&](const std::string& path, const std::string& token) {
        RouteRequest request{"GET", path, "", {}, "", "10.0.0.9"};
        if (!token.empty()) request.headers = {{"Authorization", "Bearer " + token}};
        const auto response = test.request(request);
        REQUIRE(response);
        return std::to_string(response->status) + " " + response->body;
    };
    test.accept(R"({"sub":"u1","role":"admin"})");
    CHECK(get("/admin", "t") == "200 u1");
    CHECK(test.authenticator->asked == Lines{"t from 10.0.0.9"});
    CHECK(get("/admin", "") == R"(401 {"error":{"code":"unauthorized","message":"no token"}})");
    CHECK(get("/maybe", "") == R"(200 ["nobody"])");
    test.accept(R"({"sub":"u2"})");
    CHECK(get("/admin", "t") ==
          R"(403 {"error":{"code":"forbidden","message":"not for your role"}})");
    CHECK(get("/any", "t") == "200 u2");
    test.authenticator->answer = Verdict::refuse("token_expired", "the token has expired");
    CHECK(get("/any", "t") ==
          R"(401 {"error":{"code":"token_expired","message":"the token has expired"}})");
    CHECK(get("/maybe", "t").starts_with("401"));
    test.authenticator->answer = Verdict::refuse("unavailable", "no keys");
    CHECK(get("/any", "t").starts_with("503"));
    RouteRequest by_query{"GET", "/any", "a=1&token=q%2Eq", {}, "", ""};
    test.accept(R"({"sub":"u3"})");
    CHECK(test.request(by_query)->status == 200);
    CHECK(test.authenticator->asked.back() == "q.q from ");
}

TEST_CASE("without a plugin that verifies tokens, what needs one is an error at load") {
    ScriptTest test;
    const std::string why =
        " needs a plugin that verifies tokens, and none is loaded (plugins.load in moonwire.toml)";
    CHECK(test.load_errors("local ns = namespace \"/t\"\nns:require_auth()") ==
          Lines{"app/main.lua:2: ns:require_auth" + why});
    CHECK(test.load_errors("local ns = namespace \"/t\"\n"
                           "route(\"GET\", \"/x\", { roles = \"a\" }, function() end)") ==
          Lines{"app/main.lua:2: a route with roles or auth" + why});
}

TEST_CASE("what is wrong with the demands is told at load") {
    AuthTest test;
    const auto error = [&](const std::string& line) {
        const Lines errors = test.load_errors("local ns = namespace \"/t\"\n" + line);
        return errors.empty() ? "" : errors.front();
    };
    CHECK(error("ns:require_auth { rolls = {} }") ==
          "app/main.lua:2: ns:require_auth has no option 'rolls'");
    CHECK(error("ns:require_auth { roles = {} }") ==
          "app/main.lua:2: ns:require_auth: roles must be a role or a list of them");
    CHECK(error("ns:require_auth { optional = 1 }") ==
          "app/main.lua:2: ns:require_auth: optional must be true or false");
    CHECK(error("ns:require_auth() ns:require_auth()") ==
          "app/main.lua:2: a second ns:require_auth");
    CHECK(error("route('GET', '/x', { auth = 'no' }, function() end)") ==
          "app/main.lua:2: the route's auth must be true or \"optional\"");
}
