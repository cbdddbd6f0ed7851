// What scripts tell other nodes.
#include "core/script/namespace_vm.hpp"
#include "tests/script/host_fixture.hpp"
#include "tests/script/log_capture.hpp"
#include "tests/socketio/fake_peers.hpp"

using namespace moonwire;
using namespace moonwire::script;

namespace {

socketio::ServerOptions among(socketio::FakePeers& peers) {
    socketio::ServerOptions options;
    options.nsp.peers = &peers;
    return options;
}

/// Runs the text of one handler in /t, and says what other nodes were told.
struct Told {
    explicit Told(const std::string& body, std::size_t reactors = 1)
        : test(reactors, among(peers)) {
        test.folder.write("other.lua", R"(
local ns = namespace "/other"
ns:on_server("note", function(...) ns:here():emit("noted", ...) end)
)");
        test.folder.write("family.lua", "namespace '/f/:n'");
        test.load("local ns = namespace '/t'\nns:on('go', function(socket, ...) " + body + " end)");
        other = test.join("/other");
        client = test.join();
    }
    Lines operator()(const std::string& arguments = "") {
        test.send(client, "[\"go\"" + arguments + "]");
        for (const std::string& line : client->take()) CHECK(line.find("internal") == line.npos);
        return peers.take();
    }
    socketio::FakePeers peers;
    ScriptTest test;
    ClientPtr client, other;
};

Lines told(const std::string& body, const std::string& arguments = "") {
    return Told(body)(arguments);
}

}  // namespace

TEST_CASE("broadcasts go to other nodes; what is for one client here does not") {
    CHECK(told("ns:emit('e', 1)") == Lines{R"(broadcast /t []-[] ["e",1])"});
    CHECK(told("ns:to('r'):except({ 'x', 'y' }):emit('e')") ==
          Lines{R"(broadcast /t [r]-[x,y] ["e"])"});
    CHECK(told("ns:to('r'):volatile():compress(false):emit('e')") ==
          Lines{R"(broadcast /t [r]-[] ["e"] volatile plain)"});
    CHECK(told("ns:emit('e', bytes('b'))") ==
          Lines{R"(broadcast /t []-[] ["e",{"_placeholder":true,"num":0}] b)"});
    CHECK(told("ns:to('somebody-elsewhere'):emit('e')").size() == 1);
    CHECK(told("socket:emit('e') ns:to(socket.id):emit('e') socket:volatile():emit('e')") ==
          Lines{});
    const Lines lines = told("socket:broadcast():emit('e') socket:to('r'):emit('f')");
    REQUIRE(lines.size() == 2);
    CHECK(lines[0].starts_with("broadcast /t []-["));  // without the sender
    CHECK(lines[1].starts_with("broadcast /t [r]-["));
}

TEST_CASE("bulk operations go to other nodes") {
    CHECK(told("ns:to('r'):join('s', 't') ns:except('x'):leave('s')") ==
          Lines{"join /t [r]-[] [s,t]", "leave /t []-[x] [s]"});
    CHECK(told("ns:to('r'):disconnect() ns:to('r'):disconnect(true)") ==
          Lines{"disconnect /t [r]-[]", "disconnect /t [r]-[] close"});
    CHECK(told("socket:join('r') socket:leave('r') socket:disconnect()") == Lines{});
}

TEST_CASE("here() keeps everything on this node") {
    CHECK(told("local here = ns:here():to('r') here:emit('e') here:join('s') here:leave('s') "
               "here:disconnect() ns:here():server_emit('e') ns:to('r'):here():emit('e') "
               "socket:here():emit('e') namespace_of('/other'):here():emit('e')") == Lines{});
    CHECK(told("ns:here() ns:to('r'):here() ns:to('r'):emit('e')") ==  // chains are immutable
          Lines{R"(broadcast /t [r]-[] ["e"])"});
}

TEST_CASE("what asks for an answer asks this node's clients alone") {
    CHECK(told("ns:fetch() ns:count() ns:to('nobody'):call('q') namespace_of('/f/1'):fetch()") ==
          Lines{});
    CHECK(told("assert(namespace_of('/f/1'):count() == 0)") == Lines{});
}

TEST_CASE("other namespaces are told of from their own reactor") {
    for (std::size_t reactors : {1, 2}) {
        Told go("namespace_of('/other'):to('r'):emit('e', 1) namespace_of('/other'):join('r')",
                reactors);
        CHECK(go() == Lines{R"(broadcast /other [r]-[] ["e",1])", "join /other []-[] [r]"});
    }
}

TEST_CASE("a family and its members are told of whoever is here") {
    CHECK(told("namespace_of('/f/:n'):emit('e')") == Lines{R"(broadcast /f/:n []-[] ["e"])"});
    CHECK(told("assert(namespace_of('/f/1'):emit('e'))") == Lines{R"(broadcast /f/1 []-[] ["e"])"});
    CHECK(told("assert(not namespace_of('/nowhere'):emit('e'))") == Lines{});

    socketio::FakePeers peers;
    ScriptTest test(1, among(peers));
    test.load(R"(
local ns = namespace "/g/:n"
ns:on("go", function(socket)
  ns:emit("all", 1)
  ns:server_emit("e", 2)
  socket:broadcast():emit("member")
end)
)");
    const auto one = test.join("/g/1"), two = test.join("/g/2");
    test.send(one, R"(["go"])", "/g/1");
    const Lines lines = peers.take();
    REQUIRE(lines.size() == 3);
    CHECK(lines[0] == R"(broadcast /g/:n []-[] ["all",1])");
    CHECK(lines[1] == R"(server /g/:n ["e",2])");
    CHECK(lines[2].starts_with("broadcast /g/1 []-["));
    CHECK(two->take() == Lines{R"(2/g/2,["all",1])"});
}

TEST_CASE("server_emit of a namespace's own is for the other nodes, of another one for this node") {
    Told own("ns:server_emit('e', ...)");
    CHECK(own(",1,{\"a\":[]}") == Lines{R"(server /t ["e",1,{"a":[]}])"});
    Told other("namespace_of('/other'):server_emit('note', 1)");
    CHECK(other() == Lines{});
    CHECK(other.other->take() == Lines{R"(2/other,["noted",1])"});
}

TEST_CASE("relayed events go to other nodes") {
    socketio::FakePeers peers;
    ScriptTest test(1, among(peers));
    test.folder.write("other.lua", "namespace '/other'");
    test.load(R"(
local ns = namespace "/t"
ns:relay("typing", { to = "r", except_sender = false, volatile = true })
ns:relay("moved", { to_namespace = "/other", except_sender = false })
)");
    const auto client = test.join();
    test.send(client, R"(["typing",1.50])");
    test.send(client, R"(["moved",{ "x": 1 }])");
    CHECK(peers.take() == Lines{R"(broadcast /t [r]-[] ["typing",1.50] volatile)",
                                R"(broadcast /other []-[] ["moved",{ "x": 1 }])"});
}

TEST_CASE("a namespace whose scripts are removed tells nobody else's clients to go") {
    socketio::FakePeers peers;
    ScriptTest test(1, among(peers));
    test.folder.write("gone.lua", "namespace '/gone'");
    test.load("namespace '/t'");
    const auto client = test.join("/gone");
    test.folder.remove("gone.lua");
    CHECK(test.reload() == Lines{});
    CHECK(client->take() == Lines{"1/gone,"});
    CHECK(peers.take() == Lines{});
}

TEST_CASE("a server event of another node runs on_server, also of the next generation") {
    socketio::FakePeers peers;
    ScriptTest test(1, among(peers));
    const auto script = [](const std::string& word) {
        return "local ns = namespace '/t'\nns:on_server('e', function(...) ns:here():emit('" +
               word + "', ...) end)";
    };
    test.load(script("first"));
    const auto client = test.join();
    const auto arrive = [&](const std::string& json) {
        test.server->group("/t")->server_event("e", {json});
        test.settle();
    };
    arrive(R"(["e",1])");
    CHECK(test.reload(script("second")) == Lines{});
    arrive(R"(["e",2])");
    CHECK(client->take() == Lines{R"(2/t,["first",1])", R"(2/t,["second",2])"});
    CHECK(peers.take() == Lines{});
}
