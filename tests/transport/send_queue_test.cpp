#include "core/transport/send_queue.hpp"

#include <doctest/doctest.h>

#include <string>
#include <thread>

#include "tests/transport/client.hpp"
#include "tests/transport/test_server.hpp"

using namespace moonwire;
using namespace moonwire::test;
using namespace std::chrono_literals;
using transport::Flush;
using transport::Frame;
using transport::TransportStats;
using transport::WebSocket;
using transport::WebSocketEnd;

namespace {

struct Fixture {
    Fixture() { server.serve = recorder->acceptor(); }
    /// Runs on the reactor and waits for it.
    template <typename F>
    void on_reactor(F work) {
        std::atomic<bool> done{false};
        server.server->reactor(0).post([&] {
            work(*recorder->socket.load());
            done = true;
        });
        REQUIRE(wait_until([&] { return done.load(); }));
    }
    std::unique_ptr<Client> connect(int receive_buffer_bytes = 0) {
        auto client = std::make_unique<Client>(server.port, receive_buffer_bytes);
        REQUIRE(client->upgrade().status == 101);
        REQUIRE(wait_until([&] { return recorder->open.load(); }));
        return client;
    }
    /// Asked on the reactor: a peer may have its bytes before they are counted.
    std::uint64_t writes() {
        std::uint64_t count = 0;
        on_reactor([&](WebSocket&) { count = server.total(&TransportStats::writes); });
        return count;
    }

    std::shared_ptr<Recorder> recorder = std::make_shared<Recorder>();
    TestServer server;
};

}  // namespace

TEST_CASE("one write takes everything a turn has queued") {
    Fixture f;
    f.server.open();
    auto client = f.connect();
    const auto before = f.writes();
    f.on_reactor([&](WebSocket& socket) {
        for (int i = 0; i < 200; ++i) socket.send(Frame::text({std::to_string(i)}), Flush::turn);
    });
    for (int i = 0; i < 200; ++i) REQUIRE(client->frame().payload == std::to_string(i));
    CHECK(f.writes() == before + 1);
}

TEST_CASE("broadcast frames wait for the window and share a write") {
    Fixture f;
    f.server.options.coalesce_window = 1h;
    f.server.open();
    auto client = f.connect();
    const auto before = f.writes();
    for (int i = 0; i < 50; ++i)
        f.on_reactor([&](WebSocket& socket) {
            socket.send(Frame::text({std::to_string(i)}), Flush::window);
        });
    CHECK(f.server.total(&TransportStats::queued_bytes) > 50);
    CHECK(f.writes() == before);
    // An answer doesn't wait, and takes along what does.
    f.on_reactor([&](WebSocket& socket) { socket.send(Frame::text({"answer"}), Flush::turn); });
    for (int i = 0; i < 50; ++i) REQUIRE(client->frame().payload == std::to_string(i));
    CHECK(client->frame().payload == "answer");
    CHECK(f.writes() == before + 1);
    CHECK(f.server.total(&TransportStats::queued_bytes) == 0);
}

TEST_CASE("a waiting frame leaves by itself when the window ends") {
    Fixture f;
    f.server.options.coalesce_window = 20ms;
    f.server.open();
    auto client = f.connect();
    for (int round = 0; round < 3; ++round) {
        f.on_reactor([&](WebSocket& socket) { socket.send(Frame::text({"a"}), Flush::turn); });
        f.on_reactor([&](WebSocket& socket) { socket.send(Frame::text({"b"}), Flush::window); });
        CHECK(client->frame().payload == "a");
        CHECK(client->frame().payload == "b");
    }
}

TEST_CASE("a frame that leaves alone goes at once, and what follows in a write of its own") {
    Fixture f;
    f.server.options.coalesce_window = 20ms;
    f.server.open();
    auto client = f.connect();
    const auto before = f.writes();
    f.on_reactor([&](WebSocket& socket) {
        socket.send(Frame::text({"alone"}), Flush::now);
        socket.send(Frame::text({"after"}), Flush::turn);
    });
    CHECK(client->frame().payload == "alone");
    CHECK(client->frame().payload == "after");
    CHECK(f.writes() == before + 2);
}

TEST_CASE("with no window a broadcast frame leaves at the end of its turn") {
    Fixture f;
    f.server.options.coalesce_window = 0us;
    f.server.open();
    auto client = f.connect();
    f.on_reactor([&](WebSocket& socket) {
        socket.send(Frame::text({"a"}), Flush::turn);
        socket.send(Frame::text({"b"}), Flush::window);
    });
    CHECK(client->frame().payload == "a");
    CHECK(client->frame().payload == "b");
    f.on_reactor([&](WebSocket& socket) { socket.send(Frame::text({"c"}), Flush::window); });
    CHECK(client->frame().payload == "c");
}

TEST_CASE("a slow consumer is cut when its queue passes the limit, after the send returned") {
    Fixture f;
    f.server.options.send_queue_bytes = 1'000'000;
    f.server.open();
    auto client = f.connect(4096);
    const Frame frame = Frame::binary(std::string(10'000, 'x'));
    std::size_t most_queued = 0;
    bool told_within_send = false;
    for (int turn = 0; turn < 2000 && !f.recorder->end(); ++turn)
        f.server.server->reactor(0).run([&] {
            if (f.recorder->end()) return;
            WebSocket& socket = *f.recorder->socket.load();
            socket.send(frame, Flush::turn);
            most_queued = std::max(most_queued, socket.queued_bytes());
            told_within_send |= f.recorder->end().has_value();
        });
    REQUIRE(wait_until([&] { return f.recorder->end().has_value(); }));
    CHECK(f.recorder->end() == WebSocketEnd::overflow);
    f.server.server->stop();
    CHECK_FALSE(told_within_send);
    CHECK(most_queued > 0);
    CHECK(most_queued <= 1'000'000);
    CHECK(f.server.total(&TransportStats::queued_bytes) == 0);  // it went with its connection
    CHECK(f.server.total(&TransportStats::slow_consumers) == 1);
    CHECK(f.recorder->closes() == 1);
}

TEST_CASE("a burst over the limit within one turn is written, not cut, while the peer reads") {
    Fixture f;
    f.server.options.send_queue_bytes = 50'000;
    f.server.open();
    auto client = f.connect();
    f.on_reactor([&](WebSocket& socket) {
        for (int i = 0; i < 20; ++i)
            socket.send(Frame::binary(std::string(5000, 'x')), Flush::turn);
    });
    for (int i = 0; i < 20; ++i) REQUIRE(client->frame().payload.size() == 5000);
    CHECK_FALSE(f.recorder->end().has_value());
}

TEST_CASE("a flood of pings from a peer that reads nothing is cut by the same limit") {
    Fixture f;
    f.server.options.send_queue_bytes = 100'000;
    f.server.open();
    auto client = f.connect(4096);
    std::string pings;
    for (int i = 0; i < 1000; ++i) pings += client_frame(9, std::string(125, 'p'));
    for (int i = 0; i < 1000 && client->send(pings); ++i) {
    }
    REQUIRE(wait_until([&] { return f.recorder->end().has_value(); }));
    CHECK(f.recorder->end() == WebSocketEnd::overflow);
}

TEST_CASE("a peer that takes nothing is not writable, and is cut after the write timeout") {
    Fixture f;
    f.server.options.write_timeout = 100ms;
    f.server.open();
    auto client = f.connect(4096);
    bool writable_before = false;
    f.on_reactor([&](WebSocket& socket) {
        writable_before = socket.writable();
        socket.send(Frame::binary(std::string(10'000'000, 'x')), Flush::turn);
    });
    CHECK(writable_before);
    std::atomic<bool> blocked{false};
    REQUIRE(wait_until([&] {
        f.server.server->reactor(0).post([&] {
            if (!f.recorder->end() && !f.recorder->socket.load()->writable()) blocked = true;
        });
        return f.recorder->end().has_value();
    }));
    CHECK(blocked);
    CHECK(f.recorder->end() == WebSocketEnd::failed);
    f.server.server->stop();
}

TEST_CASE("a peer that reads slowly but steadily gets every frame in order") {
    Fixture f;
    f.server.open();
    auto client = f.connect(4096);
    constexpr int kFrames = 2000;
    f.on_reactor([&](WebSocket& socket) {
        for (int i = 0; i < kFrames; ++i)
            socket.send(Frame::text({std::to_string(i), " ", std::string(3000, 'x')}), Flush::turn);
    });
    for (int i = 0; i < kFrames; ++i) {
        const std::string payload = client->frame().payload;
        REQUIRE(payload.substr(0, payload.find(' ')) == std::to_string(i));
    }
    CHECK(wait_until([&] {
        std::atomic<int> state{0};
        f.on_reactor([&](WebSocket& socket) {
            state = socket.writable() && socket.queued_bytes() == 0 ? 1 : 2;
        });
        return state == 1;
    }));
}

TEST_CASE("a queue that overflows in the turn its peer begins to read again is cut once") {
    Fixture f;
    f.server.options.send_queue_bytes = 3'000'000;
    f.server.open();
    for (int round = 1; round <= 20; ++round) {
        f.recorder->open = false;
        auto client = f.connect(4096);
        client->send_frame(1, "x");
        std::atomic<bool> full{false};
        // One task fills it; another, in a turn of its own, tips it over while the client reads.
        f.on_reactor([&](WebSocket& socket) {
            socket.send(Frame::binary(std::string(2'999'000, 'x')), Flush::turn);
        });
        f.server.server->reactor(0).post([&] {
            if (f.recorder->closes() < round)
                for (int i = 0; i < 8; ++i)
                    f.recorder->socket.load()->send(Frame::binary(std::string(2'900'000, 'y')),
                                                    Flush::turn);
            full = true;
        });
        client->rest();
        REQUIRE(wait_until([&] { return full && f.recorder->closes() == round; }));
    }
}

TEST_CASE("a slow consumer is cut when its oldest byte is too old, however it trickles") {
    Fixture f;
    f.server.options.send_queue_age = 300ms;
    f.server.open();
    auto client = f.connect(4096);
    f.on_reactor([&](WebSocket& socket) {
        for (int i = 0; i < 400; ++i)
            socket.send(Frame::binary(std::string(10'000, 'x')), Flush::turn);
    });
    // Each reading lets a bit more be written, so the write timeout alone would never come.
    std::size_t read = 0;
    while (!f.recorder->end() && client->frame().opcode == 2) {
        read += 10'000;
        std::this_thread::sleep_for(5ms);
    }
    REQUIRE(wait_until([&] { return f.recorder->end().has_value(); }));
    CHECK(f.recorder->end() == WebSocketEnd::stale);
    CHECK(read < 4'000'000);
    CHECK(f.server.total(&TransportStats::slow_consumers) == 1);
}

TEST_CASE("whoever reads in time is not cut for the age of a queue, however much it was") {
    Fixture f;
    f.server.options.send_queue_age = 10s;
    f.server.open();
    auto client = f.connect(4096);
    for (int round = 0; round < 3; ++round) {
        f.on_reactor([&](WebSocket& socket) {
            for (int i = 0; i < 100; ++i)
                socket.send(Frame::binary(std::string(10'000, 'x')), Flush::turn);
        });
        for (int i = 0; i < 100; ++i) REQUIRE(client->frame().payload.size() == 10'000);
    }
    CHECK_FALSE(f.recorder->end().has_value());
}

TEST_CASE("a backlog's age is that of its oldest byte, to an eighth of the limit") {
    const TimePoint start = TimePoint{} + 1h;
    transport::BacklogAge age(800ms);
    CHECK(age.empty());
    age.queued(10, start);
    age.queued(10, start + 50ms);  // counts as old as the first
    age.queued(10, start + 100ms);
    CHECK(age.oldest() == start);
    age.sent(19);
    CHECK(age.oldest() == start);
    age.sent(1);
    CHECK(age.oldest() == start + 100ms);
    age.sent(10);
    CHECK(age.empty());
    for (int i = 0; i < 10'000; ++i) age.queued(1, start + 1s + std::chrono::microseconds(80 * i));
    age.sent(9'999);
    CHECK(age.oldest() > start + 1s + 600ms);
    CHECK_FALSE(age.empty());
}
