#include "core/socketio/server.hpp"

#include "tests/socketio/fixture.hpp"

using namespace moonwire;
using namespace moonwire::socketio;

namespace {

/// A server whose "/" is at home on another reactor than the connections. Both are turned by hand;
/// the home claims not to be current.
struct Apart {
    class Home final : public Reactor {
    public:
        Home() : Reactor(1) {}
        bool is_current() const noexcept override { return false; }
        void post(Task task) override { tasks.push_back(std::move(task)); }
        void at_turn_end(Task task) override { tasks.push_back(std::move(task)); }
        TimePoint now() const override { return {}; }
        TimerId after(Duration, Task) override { return {}; }
        bool cancel(TimerId) override { return false; }
        std::vector<Task> tasks;
    };

    Apart() { REQUIRE(server.add("/", home, handler)); }
    ~Apart() {
        for (const auto& each : sessions) each->finish(engineio::CloseReason::transport_close);
        turn();
        handler->let_go();
    }

    std::shared_ptr<FakeSession> open() {
        sessions.push_back(std::make_shared<FakeSession>(connections, "s"));
        sessions.back()->handler = server.on_session(sessions.back());
        return sessions.back();
    }
    void turn() {
        for (Task& task : std::exchange(home.tasks, {})) task();
        connections.settle();
    }
    Namespace& nsp() { return *server.find("/"); }

    ManualReactor connections;
    Home home;
    std::shared_ptr<RecordingHandler> handler = std::make_shared<RecordingHandler>();
    Server server{{}, {&connections, &home}};
    std::vector<std::shared_ptr<FakeSession>> sessions;
};

/// Sockets by polling, and by WebSocket.
using Counts = std::pair<std::uint64_t, std::uint64_t>;
Counts counts(const Namespace& nsp) {
    return {nsp.stats().polling.get(), nsp.stats().websocket.get()};
}

}  // namespace

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
    CHECK(figures().sockets() == 2);
    CHECK(figures().events_out == 1);
    one->finish(engineio::CloseReason::transport_close);
    CHECK_FALSE(fixture.server.find("/tenant/one"));
    CHECK(figures().members == 1);
    CHECK(figures().sockets() == 1);
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
    Apart apart;
    const auto session = apart.open();
    session->receive("0");
    CHECK(apart.handler->take().empty());  // it happens over there
    apart.turn();
    CHECK(session->take().size() == 1);
    session->receive("21[\"echo\",1]");
    apart.turn();
    CHECK(session->take() == Lines{"31[\"echo\",1]"});
    apart.handler->last->join("room");
    apart.nsp().broadcast({{"room"}, {}}, {"[\"e\"]"}, {});
    CHECK(session->take() == Lines{"2[\"e\"]"});
    session->finish(engineio::CloseReason::transport_close);
    apart.turn();
    CHECK(apart.handler->take().back() == "disconnect transport close");
}

TEST_CASE("sockets are counted by their session's transport, in each of its namespaces") {
    ServerOptions options;
    options.nsp.recovery.enabled = true;
    Fixture fixture(options);
    const auto session = fixture.open();
    session->kind = engineio::TransportKind::polling;
    session->receive("0");
    session->receive("0/chat,");
    const auto other = fixture.open();
    other->receive("0/chat,");
    fixture.reactor.settle();
    CHECK(counts(fixture.nsp("/")) == Counts{1, 0});
    CHECK(counts(fixture.nsp("/chat")) == Counts{1, 1});
    session->upgrade();
    fixture.reactor.settle();
    CHECK(counts(fixture.nsp("/")) == Counts{0, 1});
    CHECK(counts(fixture.nsp("/chat")) == Counts{0, 2});
    CHECK(fixture.nsp("/chat").stats().sockets() == 2);

    // Away, it is not connected; back, it is what carries it then.
    const std::string connected = session->take().front();
    const auto pid = connected.substr(connected.find("\"pid\":"));
    session->finish(engineio::CloseReason::transport_close);
    fixture.reactor.settle();
    CHECK(counts(fixture.nsp("/")) == Counts{0, 0});
    CHECK(counts(fixture.nsp("/chat")) == Counts{0, 1});
    const auto back = fixture.open();
    back->kind = engineio::TransportKind::polling;
    back->receive("0{" + pid);
    fixture.reactor.settle();
    CHECK(fixture.nsp("/").stats().recovered.get() == 1);
    CHECK(counts(fixture.nsp("/")) == Counts{1, 0});
    back->upgrade();
    back->receive("1");
    fixture.reactor.settle();
    CHECK(counts(fixture.nsp("/")) == Counts{0, 0});
}

TEST_CASE("an upgrade is counted once, whenever it is told on the way to another reactor") {
    Apart apart;
    const auto open = [&] {
        const auto session = apart.open();
        session->kind = engineio::TransportKind::polling;
        session->receive("0");
        return session;
    };
    open()->upgrade();  // before it is let in
    apart.turn();
    CHECK(counts(apart.nsp()) == Counts{0, 1});

    const auto second = open();
    apart.turn();
    CHECK(counts(apart.nsp()) == Counts{1, 1});
    second->upgrade();
    CHECK(counts(apart.nsp()) == Counts{1, 1});
    apart.turn();
    CHECK(counts(apart.nsp()) == Counts{0, 2});

    // While middleware runs, and as the client leaves.
    apart.handler->hold = true;
    const auto third = open();
    apart.turn();
    third->upgrade();
    apart.turn();
    apart.handler->pending.front()(std::nullopt);
    CHECK(counts(apart.nsp()) == Counts{0, 3});
    apart.handler->hold = false;
    const auto fourth = open();
    apart.turn();
    CHECK(counts(apart.nsp()) == Counts{1, 3});
    fourth->upgrade();
    fourth->finish(engineio::CloseReason::transport_close);
    apart.turn();
    CHECK(counts(apart.nsp()) == Counts{0, 3});
    const auto fifth = open();
    apart.turn();
    fifth->receive("1");
    fifth->upgrade();
    apart.turn();
    CHECK(counts(apart.nsp()) == Counts{0, 3});
}
