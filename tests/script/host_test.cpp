#include "core/script/host.hpp"

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <mutex>
#include <thread>

#include "core/transport/server.hpp"
#include "tests/script/host_fixture.hpp"
#include "tests/script/log_capture.hpp"

using namespace moonwire;
using namespace moonwire::script;

namespace {

/// Answers true and does nothing else: somebody who had a name before the scripts came.
class OtherHandler final : public socketio::NamespaceHandler {
public:
    void on_connecting(const socketio::SocketPtr&, std::string_view,
                       socketio::ConnectDecision decide) override {
        decide(std::nullopt);
    }
    void on_connect(const socketio::SocketPtr&) override {}
    bool on_event(const socketio::SocketPtr&, std::string_view, socketio::Payload,
                  socketio::Acknowledgement acknowledgement) override {
        acknowledgement.reply({R"(["other"])"});
        return true;
    }
    void on_disconnecting(const socketio::SocketPtr&, std::string_view) override {}
    void on_disconnect(const socketio::SocketPtr&, std::string_view) override {}
    void on_resume(const socketio::SocketPtr&, const socketio::SocketPtr&,
                   std::string_view) override {}
    void on_expired(const socketio::SocketPtr&) override {}
    void on_server_event(std::string_view, socketio::Payload) override {}
};

}  // namespace

TEST_CASE("a name that somebody else serves is an error, and stays theirs") {
    ScriptTest test;
    REQUIRE(test.server->add("/taken", *test.reactors.front(), std::make_shared<OtherHandler>()));
    test.folder.write("taken.lua",
                      "local ns = namespace '/taken' every(1, function() end)"
                      " route('GET', '/x', function() end)");
    const Lines errors =
        test.load_errors("namespace('/t'):on('ask', function() return ask('/taken', 'f') end)");
    REQUIRE(errors.size() == 1);
    CHECK(errors[0].starts_with("app/taken.lua:0: "));
    CHECK(test.ask(test.join("/taken"), R"(["e"])", "/taken") == R"(["other"])");
    CHECK(test.ask(test.join(), R"(["ask"])") == R"([null,"no such namespace /taken"])");
    CHECK(test.host->stats().size() == 1);
    CHECK(test.reactors[0]->pending_timers() == 0);
    CHECK_FALSE(test.request({"GET", "/x", "", {}, "", ""}));
}

TEST_CASE("sockets that come and go leave no memory behind, even if a script remembers them") {
    ScriptTest test;
    test.load(R"(
local ns = namespace "/t"
local remembered = {}
ns:use(function(socket) socket.data.token = socket.handshake.auth.token end)
ns:on_connect(function(socket) remembered[#remembered % 10 + 1] = socket end)
ns:on("e", function(socket) return socket.data.token end)
)");
    std::size_t settled = 0;
    for (int i = 0; i < 3000; ++i) {
        const auto client = test.join("/t", R"({"token":"abcdefghijklmnopqrstuvwxyz"})");
        client->finish();
        test.settle();
        // The session is the test's only: neither the namespace nor the remembered socket has it.
        CHECK(client.use_count() == 2);
        test.clients.clear();
        if (i == 1000) settled = test.host->stats().at(0).memory_bytes;
    }
    CHECK(test.host->stats().at(0).memory_bytes < settled * 2);
}

TEST_CASE("a client that leaves while middleware waits leaves nothing behind") {
    ScriptTest test;
    test.load("namespace('/t'):use(function(socket) sleep(5) socket.data.x = 1 end)");
    const auto client = test.open();
    client->receive("0/t,");
    test.settle();
    client->finish();
    test.advance(6);
    CHECK(client.use_count() == 2);
    CHECK(test.host->stats().at(0).coroutines == 0);
}

TEST_CASE("the figures of a namespace count its handlers and its memory") {
    ScriptTest test;
    test.load(
        "namespace('/t'):on('e', function() local x = 0 for i = 1, 1e5 do x = x + i end end)");
    const auto client = test.join();
    for (int i = 0; i < 10; ++i) test.ask(client, R"(["e"])");
    const ScriptStats stats = test.host->stats().at(0);
    CHECK(stats.name == "/t");
    CHECK(stats.generation == 1);
    CHECK(stats.handlers_run == 10);
    CHECK(stats.handlers_failed == 0);
    CHECK(stats.handler_seconds > 0);
    CHECK(stats.handler_seconds_max <= stats.handler_seconds);
    CHECK(stats.memory_bytes > 10'000);
}

TEST_CASE("namespaces on threads of their own ask, emit and reload without a race") {
    ScriptFolder folder;
    folder.write("a.lua", R"(
local ns = namespace "/a"
ns:on("work", function(socket, n)
  local doubled = ask("/b", "double", n)
  namespace_of("/b"):emit("noise", n)
  namespace_of("/b"):count()
  return doubled
end)
)");
    folder.write("b.lua", R"(
local ns = namespace "/b"
ns:serve("double", function(n) sleep(0.001) return n * 2 end)
every(0.001, function() namespace_of("/a"):emit("beat") end)
route("GET", "/b/:n", function(request) return 200, request.params.n end)
)");
    transport::TransportServer threads({}, 3);
    std::vector<Reactor*> reactors;
    for (unsigned i = 0; i < 3; ++i) reactors.push_back(&threads.reactor(i));
    socketio::Server server({}, reactors);
    HostOptions options;
    options.apps.push_back({"app", folder.path(), nullptr});
    Host host(options, server, reactors);
    REQUIRE(host.load().empty());
    threads.start();

    // The session lives on the third reactor, both namespaces elsewhere.
    Reactor& home = *reactors[2];
    const auto client = std::make_shared<ScriptClient>(home, "s");
    std::mutex mutex;
    std::condition_variable changed;
    int joined = 0, answers = 0, reloads = 0, responses = 0;
    const auto wait_for = [&](auto condition) {
        std::unique_lock lock(mutex);
        return changed.wait_for(lock, std::chrono::seconds(60), condition);
    };
    client->on_send = [&](const std::string& text) {
        std::lock_guard lock(mutex);
        joined += text.starts_with("0/");
        answers += text.starts_with("3/a,");
        changed.notify_all();
    };
    home.post([&] {
        client->handler = server.on_session(client);
        client->receive("0/a,");
        client->receive("0/b,");
    });
    REQUIRE(wait_for([&] { return joined == 2; }));
    LogCapture log;
    constexpr int kRounds = 30, kEvents = 10;
    for (int round = 0; round < kRounds; ++round) {
        home.post([&, round] {
            for (int i = 0; i < kEvents; ++i) {
                const std::string n = std::to_string(round * kEvents + i);
                client->receive("2/a," + n + "[\"work\"," + n + "]");
            }
        });
        host.reload([&](std::vector<LoadError> errors) {
            CHECK(errors.empty());
            std::lock_guard lock(mutex);
            ++reloads;
            changed.notify_all();
        });
        CHECK(host.route({"GET", "/b/7", "", {}, "", ""}, [&](RouteResponse response) {
            CHECK(response.body == "7");
            std::lock_guard lock(mutex);
            ++responses;
            changed.notify_all();
        }));
        CHECK(host.stats().size() == 2);
        CHECK(wait_for([&] { return reloads == round + 1; }));
    }
    CHECK(wait_for([&] { return answers == kRounds * kEvents && responses == kRounds; }));
    host.stop();
    home.post([&] { client->finish(); });
    std::atomic<bool> ended{false};
    home.post([&] { ended = true; });
    while (!ended) std::this_thread::yield();
    threads.stop();
}
