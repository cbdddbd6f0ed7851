// Plugins that carry messages between nodes: what they are given, and what they hand in.
#include <doctest/doctest.h>

#include <stdexcept>

#include "core/base/log.hpp"
#include "core/plugin/arrivals.hpp"
#include "core/plugin/plugin_host.hpp"
#include "tests/socketio/fixture.hpp"

using namespace moonwire;
using namespace moonwire::plugin;
using socketio::Lines;

namespace {

std::string list(const std::vector<std::string>& names) {
    std::string text = "[";
    for (const std::string& each : names) text += (text.size() > 1 ? "," : "") + each;
    return text + "]";
}

std::string text_of(const ClusterTarget& target) {
    return " " + list(target.rooms) + "-" + list(target.except);
}

std::string text_of(const Values& packet) {
    std::string text = " " + packet.json;
    for (const std::string& each : packet.attachments) text += " " + each;
    return text;
}

std::string text_of(const ClusterMessage& message) {
    struct Text {
        std::string operator()(const ClusterBroadcast& it) const {
            return "broadcast" + text_of(it.target) + text_of(it.packet) +
                   (it.is_volatile ? " volatile" : "") + (it.compress ? "" : " plain");
        }
        std::string operator()(const ClusterJoin& it) const {
            return "join" + text_of(it.target) + " " + list(it.rooms);
        }
        std::string operator()(const ClusterLeave& it) const {
            return "leave" + text_of(it.target) + " " + list(it.rooms);
        }
        std::string operator()(const ClusterDisconnect& it) const {
            return "disconnect" + text_of(it.target) + (it.close ? " close" : "");
        }
        std::string operator()(const ClusterServerEmit& it) const {
            return "server" + text_of(it.packet);
        }
    };
    return message.nsp + " " + std::visit(Text{}, message.what);
}

class FakeAdapter final : public Adapter {
public:
    void publish(ClusterMessage message) override {
        notes.push_back(text_of(message));
        if (on_publish) on_publish(message);
    }
    Lines take() { return std::exchange(notes, {}); }
    Lines notes;
    std::function<void(const ClusterMessage&)> on_publish;
};

/// What is logged, as "message key=value…".
struct Log final : log::Listener {
    void on_line(log::Level, std::string_view message, const log::Field* fields,
                 std::size_t count) override {
        std::string line(message);
        for (std::size_t i = 0; i < count; ++i)
            line += " " + std::string(fields[i].name) + "=" + fields[i].value;
        lines.push_back(std::move(line));
    }
    Lines take() { return std::exchange(lines, {}); }
    Lines lines;
};

socketio::ServerOptions options_with(socketio::Peers* peers, bool recovery) {
    socketio::ServerOptions options;
    options.nsp.peers = peers;
    options.nsp.recovery.enabled = recovery;
    return options;
}

/// A node with a plugin that is its adapter.
struct Node {
    explicit Node(bool recovery = false)
        : host("fake", provisions, surroundings), sockets(options_with(provide(), recovery)) {
        surroundings.sockets = &sockets.server;
        host.end_configuring();
    }
    socketio::Peers* provide() {
        host.provide(adapter);
        return provisions.peers();
    }
    Receipt receive(ClusterMessage message) {
        const Receipt receipt = host.receive(std::move(message));
        sockets.reactor.settle();
        return receipt;
    }
    socketio::Namespace& chat() { return sockets.nsp("/chat"); }

    const std::shared_ptr<FakeAdapter> adapter = std::make_shared<FakeAdapter>();
    Provisions provisions;
    Surroundings surroundings;
    PluginHost host;
    socketio::Fixture sockets;
};

ClusterMessage event(const std::string& json, std::vector<std::string> rooms = {}) {
    return {"/chat", ClusterBroadcast{{std::move(rooms), {}}, {json, {}}}};
}

}  // namespace

TEST_CASE("an adapter is given every kind of message, in its order") {
    Node node;
    socketio::Namespace& chat = node.chat();
    const std::vector<SharedBytes> attachments{SharedBytes::copy("bytes")};
    chat.broadcast({{"r"}, {"x", "y"}}, {R"(["e",{"_placeholder":true,"num":0}])", attachments},
                   {.is_volatile = true, .compress = false});
    chat.join({{"r"}, {}}, {"s", "t"});
    chat.leave({{}, {"x"}}, {"s"});
    chat.disconnect({{"r"}, {}}, true);
    node.sockets.server.group("/chat")->server_emit({R"(["tick",1])"});
    CHECK(
        node.adapter->take() ==
        Lines{
            R"(/chat broadcast [r]-[x,y] ["e",{"_placeholder":true,"num":0}] bytes volatile plain)",
            "/chat join [r]-[] [s,t]", "/chat leave []-[x] [s]", "/chat disconnect [r]-[] close",
            R"(/chat server ["tick",1])"});
}

TEST_CASE("what other nodes sent is done here, and not published again") {
    Node node;
    const auto a = node.sockets.join("/chat"), b = node.sockets.join("/chat");
    node.sockets.chat->last->join("b");
    node.sockets.chat->take();
    CHECK(node.receive({"/chat", ClusterBroadcast{{{}, {"b"}},
                                                  {R"(["e",{"_placeholder":true,"num":0}])",
                                                   {"bytes"}}}}) == Receipt::taken);
    CHECK(a->take() == Lines{R"(51-/chat,["e",{"_placeholder":true,"num":0}])", "b:bytes"});
    CHECK(b->take() == Lines{});

    CHECK(node.receive({"/chat", ClusterJoin{{{"b"}, {}}, {"r", "s"}}}) == Receipt::taken);
    CHECK(node.receive({"/chat", ClusterLeave{{{"r"}, {}}, {"s"}}}) == Receipt::taken);
    CHECK(node.chat().count({{"r"}, {}}) == 1);
    CHECK(node.chat().count({{"s"}, {}}) == 0);

    CHECK(node.receive({"/chat", ClusterServerEmit{{R"(["tick",1])", {}}}}) == Receipt::taken);
    CHECK(node.sockets.chat->take() == Lines{R"(server tick ["tick",1])"});

    CHECK(node.receive({"/chat", ClusterDisconnect{{{"r"}, {}}, true}}) == Receipt::taken);
    CHECK(b->closed);
    CHECK_FALSE(a->closed);
    CHECK(node.adapter->take() == Lines{});
}

TEST_CASE("what one thread hands in is done in its order, also from the namespace's own reactor") {
    Node node;
    const auto a = node.sockets.join("/chat");
    node.host.receive(event(R"(["e",1])"));
    node.host.receive({"/chat", ClusterServerEmit{{R"(["s"])", {}}}});
    node.host.receive(event(R"(["e",2])"));
    CHECK(a->take() == Lines{});  // never within the call
    node.sockets.reactor.settle();
    CHECK(a->take() == Lines{R"(2/chat,["e",1])", R"(2/chat,["e",2])"});
}

TEST_CASE("volatile and compress are passed on") {
    Node node;
    const auto a = node.sockets.join("/chat");
    a->writable = false;
    ClusterMessage message = event(R"(["e"])");
    std::get<ClusterBroadcast>(message.what).is_volatile = true;
    CHECK(node.receive(message) == Receipt::taken);
    CHECK(a->take() == Lines{});
    CHECK(node.receive(event(R"(["f"])")) == Receipt::taken);
    CHECK(a->take() == Lines{R"(2/chat,["f"])"});
}

TEST_CASE("a node takes nothing for names that it does not have, nor what no client could read") {
    Node node;
    Log log;
    const auto a = node.sockets.join("/chat");
    CHECK(node.receive({"/nowhere", ClusterJoin{}}) == Receipt::unknown_namespace);
    CHECK(node.receive(event("[")) == Receipt::invalid);
    CHECK(node.receive(event(R"(["disconnect"])")) == Receipt::invalid);
    CHECK(node.receive(event(R"(["e",{"_placeholder":true,"num":0}])")) == Receipt::invalid);
    CHECK(node.receive({"/chat", ClusterServerEmit{{"[]", {}}}}) == Receipt::invalid);
    CHECK(a->take() == Lines{});
    CHECK(log.take() ==  // the others are counted
          Lines{"another node sent what can't be passed on plugin=fake namespace=/chat "
                "reason=EVENT without a name"});
    Surroundings nobody;
    PluginHost early("fake", node.provisions, nobody);
    CHECK(early.receive(event(R"(["e"])")) == Receipt::unknown_namespace);
}

TEST_CASE("what other nodes sent to a family reaches its members here") {
    Node node;
    REQUIRE(node.sockets.server.add("/f/:n", node.sockets.reactor, node.sockets.make_handler()));
    const auto one = node.sockets.join("/f/1"), two = node.sockets.join("/f/2");
    CHECK(node.receive({"/f/:n", ClusterBroadcast{{}, {R"(["e"])", {}}}}) == Receipt::taken);
    CHECK(node.receive({"/f/2", ClusterBroadcast{{}, {R"(["two"])", {}}}}) == Receipt::taken);
    CHECK(node.receive({"/f/3", ClusterBroadcast{{}, {R"(["three"])", {}}}}) == Receipt::taken);
    CHECK(one->take() == Lines{R"(2/f/1,["e"])"});
    CHECK(two->take() == Lines{R"(2/f/2,["e"])", R"(2/f/2,["two"])"});
    CHECK(node.adapter->take() == Lines{});
}

TEST_CASE("no more waits for a reactor than 10 000 messages of other nodes") {
    Node node;
    Log log;
    const auto a = node.sockets.join("/chat");
    for (std::size_t i = 0; i < Arrivals::kMaxMessages; ++i)
        REQUIRE(node.host.receive(event(R"(["e"])")) == Receipt::taken);
    CHECK(node.host.receive(event(R"(["e"])")) == Receipt::full);
    CHECK(node.host.receive({"/chat", ClusterLeave{}}) == Receipt::full);
    CHECK(log.take() == Lines{"what another node sent was dropped, for too much waits plugin=fake "
                              "namespace=/chat reason=limit reached"});
    node.sockets.reactor.settle();
    CHECK(a->take().size() == Arrivals::kMaxMessages);
    CHECK(node.receive(event(R"(["e"])")) == Receipt::taken);
}

TEST_CASE("no more waits for a reactor than 64 MiB of other nodes, but for one that is larger") {
    Node node;
    const auto large = [](std::size_t bytes) {
        return event("[\"e\",\"" + std::string(bytes, 'x') + "\"]");
    };
    CHECK(node.host.receive(large(Arrivals::kMaxBytes / 2)) == Receipt::taken);
    CHECK(node.host.receive(large(Arrivals::kMaxBytes / 2)) == Receipt::full);
    CHECK(node.host.receive(large(100)) == Receipt::taken);
    node.sockets.reactor.settle();
    CHECK(node.host.receive(large(Arrivals::kMaxBytes)) == Receipt::taken);
    CHECK(node.host.receive(large(1)) == Receipt::full);
    node.sockets.reactor.settle();
}

TEST_CASE("an adapter that throws is logged now and then, and nobody else notices") {
    Node node;
    Log log;
    const auto a = node.sockets.join("/chat");
    node.adapter->on_publish = [](const ClusterMessage&) { throw std::runtime_error("no way"); };
    for (int i = 0; i < 3; ++i) node.chat().broadcast({}, {R"(["e"])"}, {});
    CHECK(a->take() == Lines{3, R"(2/chat,["e"])"});
    CHECK(node.adapter->take().size() == 3);
    CHECK(log.take() == Lines{"plugin failed plugin=fake in=publish reason=no way"});
}

TEST_CASE("an adapter may hand in from within publish") {
    Node node;
    const auto a = node.sockets.join("/chat");
    node.adapter->on_publish = [&](const ClusterMessage&) {
        node.host.receive(event(R"(["echo"])"));
    };
    node.chat().broadcast({}, {R"(["e"])"}, {});
    node.sockets.reactor.settle();
    CHECK(a->take() == Lines{R"(2/chat,["e"])", R"(2/chat,["echo"])"});
    CHECK(node.adapter->take().size() == 1);
}

TEST_CASE("what a plugin emits to clients goes to other nodes, too") {
    Node node;
    REQUIRE(node.sockets.server.add("/f/:n", node.sockets.reactor, node.sockets.make_handler()));
    CHECK(node.host.emit({"/chat", "e", {"[1]", {}}, {"r"}, {"x"}, true}));
    CHECK(node.host.emit({"/f/:n", "e"}));  // whose members may be elsewhere
    CHECK_FALSE(node.host.emit({"/nowhere", "e"}));
    node.sockets.reactor.settle();
    CHECK(node.adapter->take() ==
          Lines{R"(/chat broadcast [r]-[x] ["e",1] volatile)", R"(/f/:n broadcast []-[] ["e"])"});
}

TEST_CASE("who was away is told what other nodes sent meanwhile") {
    Node node(true);
    const auto before = node.sockets.open();
    before->receive("0/chat,");
    node.sockets.reactor.settle();
    const std::string answer = before->take().at(0);
    const auto from = answer.find("\"pid\":\"") + 7;
    const std::string pid = answer.substr(from, answer.find('"', from) - from);
    node.receive(event(R"(["seen"])"));
    const std::string seen = before->take().at(0);  // 2/chat,["seen","offset"]
    const auto offset = seen.substr(seen.rfind(',') + 1, seen.size() - seen.rfind(',') - 2);
    before->finish(engineio::CloseReason::transport_close);
    node.sockets.reactor.settle();
    CHECK(node.receive(event(R"(["missed"])")) == Receipt::taken);
    const auto after = node.sockets.open();
    after->receive("0/chat,{\"pid\":\"" + pid + "\",\"offset\":" + offset + "}");
    node.sockets.reactor.settle();
    const Lines lines = after->take();
    REQUIRE(lines.size() == 2);
    CHECK(lines[0].starts_with(R"(2/chat,["missed",)"));
}

TEST_CASE("there is one adapter, which is provided while the plugin is configured") {
    Node node;
    CHECK_THROWS_WITH(node.host.provide(node.adapter), "provide is for Plugin::configure");
    CHECK_THROWS_WITH(node.provisions.add("other", node.adapter),
                      "plugin fake is the adapter already");
    CHECK(Provisions().peers() == nullptr);
}
