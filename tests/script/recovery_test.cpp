// What scripts see of clients that go and come back.
#include "tests/script/host_fixture.hpp"
#include "tests/script/log_capture.hpp"

using namespace moonwire;
using namespace moonwire::script;

namespace {

socketio::ServerOptions with_recovery() {
    socketio::ServerOptions options;
    options.nsp.recovery.enabled = true;
    options.nsp.recovery.max_disconnection = std::chrono::seconds(60);
    return options;
}

constexpr std::string_view kScript = R"(
local ns = namespace "/t"
local held
ns:on_connect(function(socket) socket.data.connects = (socket.data.connects or 0) + 1 end)
ns:on("hold", function(socket) held = socket return socket.handshake.auth.n or 0 end)
ns:on("same", function(socket)
  return held == socket, socket.connected, socket.recovered, socket.data.connects,
         socket.handshake.auth.n or 0
end)
ns:on("wait", function(socket) sleep(5) return socket.connected, socket.data.connects end)
ns:on_disconnect(function(socket) ns.state.gone = (ns.state.gone or 0) + 1 end)
ns:on_expired(function(socket) ns.state.expired = { socket.id, socket.data.connects, socket.connected } end)
ns:on("state", function() return ns.state.gone or 0, ns.state.expired or false end)
)";

std::string member(const std::string& text, const std::string& name) {
    const auto from = text.find("\"" + name + "\":\"") + name.size() + 4;
    return text.substr(from, text.find('"', from) - from);
}

/// Leaves without a word and returns with what the server gave it.
struct Returning {
    explicit Returning(ScriptTest& test) : test(test), client(test.knock()) {
        pid = member(client->sent.front(), "pid");
        id = member(client->sent.front(), "sid");
        client->take();
    }
    void cut() {
        client->finish();
        test.settle();
    }
    void come_back(const std::string& more = "") {
        client = test.knock("/t", "{\"pid\":\"" + pid + "\"" + more + "}");
    }
    ScriptTest& test;
    ClientPtr client;
    std::string pid, id;
};

}  // namespace

TEST_CASE("a recovered socket is the same object, with its data and the new handshake") {
    ScriptTest test(1, with_recovery());
    test.load(kScript);
    Returning one(test);
    CHECK(test.ask(one.client, R"(["hold"])") == "[0]");
    one.cut();
    one.come_back(R"(,"n":7)");
    CHECK(test.ask(one.client, R"(["same"])") == "[true,true,true,2,7]");
    one.cut();
    one.come_back();
    CHECK(test.ask(one.client, R"(["same"])") == "[true,true,true,3,0]");
    CHECK(test.ask(one.client, R"(["state"])") == "[2,false]");
}

TEST_CASE("a handler that waited through the absence answers after it") {
    ScriptTest test(1, with_recovery());
    test.load(kScript);
    Returning one(test), two(test);
    one.client->receive("2/t,5[\"wait\"]");
    two.client->receive("2/t,6[\"wait\"]");
    test.settle();
    one.cut();
    two.cut();
    one.come_back();
    test.advance(6);
    CHECK(test.answer(one.client, "5") == "[true,2]");
    two.come_back();  // the answer waited for it
    CHECK(test.answer(two.client, "6") == "[false,1]");
}

TEST_CASE("the script hears of who did not return, and the socket is let go") {
    ScriptTest test(1, with_recovery());
    test.load(kScript);
    Returning one(test);
    const ClientPtr other = test.join();
    one.cut();
    CHECK(test.ask(other, R"(["state"])") == "[1,false]");
    test.advance(62);
    CHECK(test.ask(other, R"(["state"])") ==
          R"([1,[")" + one.id + R"(",1,false]])");
}

TEST_CASE("recovery and reload do not disturb each other") {
    ScriptTest test(1, with_recovery());
    test.load(kScript);
    Returning one(test);
    one.cut();
    CHECK(test.reload(std::string(kScript) + "-- again").empty());
    one.come_back();
    CHECK(test.ask(one.client, R"(["same"])") == "[false,true,true,2,0]");
    one.cut();
    CHECK(test.reload(std::string(kScript) + "-- and again").empty());
    test.advance(62);
    CHECK(test.ask(test.join(), R"(["state"])").find(one.id) != std::string::npos);
}

TEST_CASE("a socket in too many rooms is told so, and a call beyond the limit is busy") {
    socketio::ServerOptions options;
    options.nsp.rooms = 1;
    options.nsp.awaited_acks = 0;
    ScriptTest test(1, options);
    test.load(R"(
local ns = namespace "/t"
ns:on("join", function(socket)
  local first, second, why = socket:join("a"), socket:join("b")
  return first, second == nil, why, #socket.rooms
end)
ns:on("call", function(socket) return socket:call("q") end)
)");
    const ClientPtr client = test.join();
    CHECK(test.ask(client, R"(["join"])") == R"([true,true,"too many rooms",2])");
    CHECK(test.ask(client, R"(["call"])") == R"([null,"busy"])");
}
