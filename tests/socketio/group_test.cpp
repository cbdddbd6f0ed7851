// What other nodes are told, and what only this one does.
#include "core/socketio/group.hpp"

#include "tests/socketio/fake_peers.hpp"
#include "tests/socketio/fixture.hpp"

using namespace moonwire;
using namespace moonwire::socketio;

namespace {

ServerOptions among(FakePeers& peers) {
    ServerOptions options;
    options.nsp.peers = &peers;
    return options;
}

Target room(const std::string& name) { return {{name}, {}}; }

Target here(Target target) {
    target.here = true;
    return target;
}

}  // namespace

TEST_CASE("other nodes are told of a broadcast once, before it is sent here") {
    FakePeers peers;
    Fixture fixture(among(peers));
    const auto a = fixture.join("/chat"), b = fixture.join("/chat");
    const std::vector<SharedBytes> attachments{SharedBytes::copy("bytes")};
    const Payload payload{R"(["e",{"_placeholder":true,"num":0}])", attachments};
    fixture.nsp("/chat").broadcast({{"r"}, {"x"}}, payload, {.is_volatile = true});
    fixture.nsp("/chat").broadcast({}, {"[\"all\"]"}, {.compress = false});
    CHECK(peers.take() ==
          Lines{R"(broadcast /chat [r]-[x] ["e",{"_placeholder":true,"num":0}] bytes volatile)",
                R"(broadcast /chat []-[] ["all"] plain)"});
    CHECK(a->take() == Lines{R"(2/chat,["all"])"});
    CHECK(b->take() == Lines{R"(2/chat,["all"])"});
}

TEST_CASE("other nodes are told of rooms and disconnections that may concern their sockets") {
    FakePeers peers;
    Fixture fixture(among(peers));
    const auto a = fixture.join("/chat");
    Namespace& chat = fixture.nsp("/chat");
    chat.join({}, {"r", "s"});
    chat.leave(room("r"), {"s"});
    CHECK(chat.count(room("s")) == 0);
    chat.disconnect(room("r"), true);
    fixture.reactor.settle();
    CHECK(a->closed);
    CHECK(peers.take() == Lines{"join /chat []-[] [r,s]", "leave /chat [r]-[] [s]",
                                "disconnect /chat [r]-[] close"});
}

TEST_CASE("what concerns one socket of this node is nobody else's affair") {
    FakePeers peers;
    Fixture fixture(among(peers));
    const auto a = fixture.join("/chat");
    const std::string id = fixture.chat->last->id();
    Namespace& chat = fixture.nsp("/chat");
    fixture.chat->last->emit({"[\"one\"]"});
    chat.broadcast(room(id), {"[\"two\"]"}, {});
    chat.join(room(id), {"r"});
    chat.leave(room(id), {"r"});
    CHECK(a->take() == Lines{R"(2/chat,["one"])", R"(2/chat,["two"])"});
    CHECK(peers.take() == Lines{});
    chat.broadcast(room("elsewhere"), {"[\"three\"]"}, {});  // an id, perhaps
    chat.broadcast({{id, "r"}, {}}, {"[\"four\"]"}, {});
    CHECK(peers.take() == Lines{R"(broadcast /chat [elsewhere]-[] ["three"])",
                                "broadcast /chat [" + id + R"(,r]-[] ["four"])"});
    chat.disconnect(room(id), false);
    CHECK(peers.take() == Lines{});
}

TEST_CASE("what is for this node only, and what asks for acknowledgements, stays") {
    FakePeers peers;
    Fixture fixture(among(peers));
    const auto a = fixture.join("/chat");
    Namespace& chat = fixture.nsp("/chat");
    chat.broadcast(here({}), {"[\"e\"]"}, {});
    chat.join(here({}), {"r"});
    CHECK(chat.count(room("r")) == 1);
    chat.leave(here(room("r")), {"r"});
    chat.broadcast_call({}, {"[\"q\"]"}, std::chrono::seconds(1), [](BroadcastReplies, bool) {});
    CHECK(a->take() == Lines{R"(2/chat,["e"])", R"(2/chat,0["q"])"});
    chat.disconnect(here({}), false);
    fixture.reactor.settle();
    CHECK(chat.socket_count() == 0);
    CHECK(peers.take() == Lines{});
}

TEST_CASE("a namespace that is removed here takes no sockets of other nodes with it") {
    FakePeers peers;
    Fixture fixture(among(peers));
    const auto a = fixture.join("/chat");
    fixture.server.remove("/chat");
    fixture.reactor.settle();
    CHECK(a->take() == Lines{"1/chat,"});
    CHECK(peers.take() == Lines{});
}

TEST_CASE("what is said to a family is told by its pattern, once, whoever is here") {
    FakePeers peers;
    Fixture fixture(among(peers));
    REQUIRE(fixture.server.add("/f/:n", fixture.reactor, fixture.make_handler()));
    fixture.server.group("/f/:n")->broadcast(room("r"), {"[\"nobody\"]"}, {});
    CHECK(peers.take() == Lines{R"(broadcast /f/:n [r]-[] ["nobody"])"});

    const auto one = fixture.join("/f/1"), two = fixture.join("/f/2");
    const std::string id = fixture.handlers.back()->last->id();
    const Group family = *fixture.server.group("/f/:n");
    family.broadcast({}, {"[\"all\"]"}, {});
    family.join({}, {"r"});
    family.leave(room("r"), {"x"});
    family.broadcast(here({}), {"[\"here\"]"}, {});
    family.broadcast(room(id), {"[\"you\"]"}, {});
    CHECK(one->take() == Lines{R"(2/f/1,["all"])", R"(2/f/1,["here"])"});
    CHECK(two->take() == Lines{R"(2/f/2,["all"])", R"(2/f/2,["here"])", R"(2/f/2,["you"])"});
    family.disconnect(room("r"), false);
    fixture.reactor.settle();
    CHECK(one->take() == Lines{"1/f/1,"});
    CHECK(peers.take() == Lines{R"(broadcast /f/:n []-[] ["all"])", "join /f/:n []-[] [r]",
                                "leave /f/:n [r]-[] [x]", "disconnect /f/:n [r]-[]"});
}

TEST_CASE("a family's member is told by its own name, also while it is not here") {
    FakePeers peers;
    Fixture fixture(among(peers));
    REQUIRE(fixture.server.add("/f/:n", fixture.reactor, fixture.make_handler()));
    CHECK(fixture.server.group("/f/1")->members().empty());
    fixture.server.group("/f/1")->broadcast({}, {"[\"a\"]"}, {});
    const auto one = fixture.join("/f/1");
    fixture.server.group("/f/1")->broadcast({}, {"[\"b\"]"}, {});
    CHECK(one->take() == Lines{R"(2/f/1,["b"])"});
    CHECK(peers.take() == Lines{R"(broadcast /f/1 []-[] ["a"])", R"(broadcast /f/1 []-[] ["b"])"});
    CHECK_FALSE(fixture.server.group("/f"));
    CHECK_FALSE(fixture.server.group("/f/1,2"));
}

TEST_CASE("alone, a name means who is here") {
    Fixture fixture;
    REQUIRE(fixture.server.add("/f/:n", fixture.reactor, fixture.make_handler()));
    CHECK_FALSE(fixture.server.group("/f/1"));
    CHECK_FALSE(fixture.server.group("/nowhere"));
    CHECK(fixture.server.group("/f/:n")->reaches_nobody());
    CHECK_FALSE(fixture.server.group("/chat")->reaches_nobody());
    fixture.server.group("/chat")->server_emit({"[\"e\"]"});  // to nobody
    const auto one = fixture.join("/f/1");
    fixture.server.group("/f/:n")->broadcast({}, {"[\"e\"]"}, {});
    CHECK(one->take() == Lines{R"(2/f/1,["e"])"});
}

TEST_CASE("a server event goes to the other nodes, and comes from them to the handler") {
    FakePeers peers;
    Fixture fixture(among(peers));
    const Group chat = *fixture.server.group("/chat");
    chat.server_emit({"[\"e\",1]"});
    CHECK(peers.take() == Lines{R"(server /chat ["e",1])"});
    CHECK(fixture.chat->take() == Lines{});
    chat.server_event("e", {"[\"e\",1]"});
    CHECK(fixture.chat->take() == Lines{R"(server e ["e",1])"});
    CHECK(peers.take() == Lines{});
}
