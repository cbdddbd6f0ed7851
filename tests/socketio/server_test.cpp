#include "core/socketio/server.hpp"

#include "tests/socketio/fixture.hpp"

using namespace moonwire;
using namespace moonwire::socketio;

TEST_CASE("names are checked, and taken once") {
    Fixture fixture;
    CHECK_FALSE(fixture.server.add("chat", fixture.reactor, fixture.chat));
    CHECK_FALSE(fixture.server.add("/a,b", fixture.reactor, fixture.chat));
    CHECK(fixture.server.add("/chat", fixture.reactor, fixture.chat).error().message ==
          "namespace \"/chat\" exists already");
    CHECK_FALSE(fixture.server.add_alias("/chat", "/"));
}

TEST_CASE("an alias leads to its namespace and keeps its own name on the wire") {
    Fixture fixture;
    REQUIRE(fixture.server.add_alias("/old", "/chat"));
    const auto aliased = fixture.open();
    aliased->receive("0/old,");
    CHECK(aliased->take()[0].starts_with("0/old,{\"sid\""));
    const auto another = fixture.join("/old");
    const auto direct = fixture.join("/chat");
    aliased->wires.clear();
    fixture.nsp("/chat").broadcast({}, {"[\"e\"]"}, {});
    CHECK(aliased->take() == Lines{"2/old,[\"e\"]"});
    CHECK(direct->take() == Lines{"2/chat,[\"e\"]"});
    CHECK(aliased->wires[0] == another->wires[0]);  // framed once an alias
    aliased->receive("2/old,1[\"echo\"]");
    CHECK(aliased->take() == Lines{"3/old,1[\"echo\"]"});
}

TEST_CASE("a family makes members on demand, apart from each other, and forgets empty ones") {
    Fixture fixture;
    const auto handler = fixture.make_handler();
    REQUIRE(fixture.server.add("/tenant/:name/:kind", fixture.reactor, handler));
    const auto acme = fixture.join("/tenant/acme/x");
    CHECK(handler->last->nsp().params() ==
          std::map<std::string, std::string>{{"name", "acme"}, {"kind", "x"}});
    const auto other = fixture.join("/tenant/other/x");
    CHECK(fixture.server.members("/tenant/:name/:kind").size() == 2);
    fixture.nsp("/tenant/acme/x").broadcast({}, {"[\"e\"]"}, {});
    CHECK(acme->take() == Lines{"2/tenant/acme/x,[\"e\"]"});
    CHECK(other->take().empty());

    const auto wrong = fixture.open();
    wrong->receive("0/tenant//x,");
    wrong->receive("0/tenant/a,");
    CHECK(wrong->take() == Lines{"4/tenant//x,{\"message\":\"Invalid namespace\"}",
                                 "4/tenant/a,{\"message\":\"Invalid namespace\"}"});
    acme->finish(engineio::CloseReason::transport_close);
    CHECK_FALSE(fixture.server.find("/tenant/acme/x"));
    CHECK(fixture.server.find("/tenant/other/x"));
}

TEST_CASE("a family's figures are those of its members, of those that are gone, too") {
    Fixture fixture;
    REQUIRE(fixture.server.add("/tenant/:name", fixture.reactor, fixture.make_handler()));
    const auto figures = [&] {
        for (const NamespaceFigures& each : fixture.server.figures())
            if (each.name == "/tenant/:name") return each;
        return NamespaceFigures();
    };
    CHECK(figures().members == 0);
    const auto one = fixture.join("/tenant/one");
    const auto two = fixture.join("/tenant/two");
    fixture.nsp("/tenant/one").broadcast({}, {"[\"e\"]"}, {});
    CHECK(figures().members == 2);
    CHECK(figures().sockets == 2);
    CHECK(figures().events_out == 1);
    one->finish(engineio::CloseReason::transport_close);
    CHECK_FALSE(fixture.server.find("/tenant/one"));
    CHECK(figures().members == 1);
    CHECK(figures().sockets == 1);
    CHECK(figures().connects == 2);
    CHECK(figures().disconnects == 1);
    CHECK(figures().events_out == 1);
    // One of its name that comes again begins anew.
    fixture.join("/tenant/one");
    CHECK(figures().connects == 3);
}

TEST_CASE("a family's member that refused its only client is forgotten") {
    Fixture fixture;
    const auto handler = fixture.make_handler();
    handler->refusal = Refusal{"no", ""};
    REQUIRE(fixture.server.add("/tenant/:name", fixture.reactor, handler));
    fixture.open()->receive("0/tenant/a,");
    CHECK_FALSE(fixture.server.find("/tenant/a"));
}

TEST_CASE("a family has only so many members") {
    ServerOptions options;
    options.max_family_members = 1;
    Fixture fixture(options);
    REQUIRE(fixture.server.add("/t/:n", fixture.reactor, fixture.chat));
    fixture.join("/t/a");
    const auto session = fixture.open();
    session->receive("0/t/b,");
    CHECK(session->take() == Lines{"4/t/b,{\"message\":\"Invalid namespace\"}"});
}

TEST_CASE("a namespace that is removed sends its clients away and takes no more") {
    Fixture fixture;
    const auto session = fixture.join("/chat");
    fixture.server.remove("/chat");
    fixture.reactor.settle();
    CHECK(session->take() == Lines{"1/chat,"});
    session->receive("0/chat,");
    CHECK(session->take() == Lines{"4/chat,{\"message\":\"Invalid namespace\"}"});
    CHECK(fixture.chat->take().back() == "disconnect server namespace disconnect");
}

TEST_CASE("a namespace on another reactor gets events and sends in order") {
    // Both reactors are turned by hand; the second one claims not to be current.
    class Away final : public Reactor {
    public:
        Away() : Reactor(1) {}
        bool is_current() const noexcept override { return false; }
        void post(Task task) override { tasks.push_back(std::move(task)); }
        void at_turn_end(Task task) override { tasks.push_back(std::move(task)); }
        TimePoint now() const override { return {}; }
        TimerId after(Duration, Task) override { return {}; }
        bool cancel(TimerId) override { return false; }
        std::vector<Task> tasks;
    };
    ManualReactor connections;
    Away home;
    auto handler = std::make_shared<RecordingHandler>();
    Server server({}, {&connections, &home});
    REQUIRE(server.add("/", home, handler));
    auto session = std::make_shared<FakeSession>(connections, "s");
    session->handler = server.on_session(session);
    const auto turn = [&] {
        for (Task& task : std::exchange(home.tasks, {})) task();
        connections.settle();
    };
    session->receive("0");
    CHECK(handler->take().empty());  // it happens over there
    turn();
    CHECK(session->take().size() == 1);
    session->receive("21[\"echo\",1]");
    turn();
    CHECK(session->take() == Lines{"31[\"echo\",1]"});
    handler->last->join("room");
    server.find("/")->broadcast({{"room"}, {}}, {"[\"e\"]"}, {});
    CHECK(session->take() == Lines{"2[\"e\"]"});
    session->finish(engineio::CloseReason::transport_close);
    turn();
    CHECK(handler->take().back() == "disconnect transport close");
    handler->let_go();
}
