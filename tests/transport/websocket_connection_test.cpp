#include "core/transport/websocket_connection.hpp"

#include <doctest/doctest.h>

#include <random>
#include <string>

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
    explicit Fixture(unsigned threads = 1) : server(threads) {
        server.serve = recorder->acceptor();
    }
    bool ended_as(WebSocketEnd end) {
        return wait_until([&] { return recorder->end().has_value(); }) && recorder->end() == end;
    }
    std::shared_ptr<Recorder> recorder = std::make_shared<Recorder>();
    TestServer server;
};

}  // namespace

TEST_CASE("the handshake answers 101 with the key's digest and the handler's headers") {
    Fixture f;
    f.server.serve = [&](TestServer::Exchange exchange) {
        CHECK(exchange->request().upgrade);
        exchange->accept_websocket(f.recorder, {{"X-Extra", "a\r\nb"}});
    };
    f.server.open();
    Client client(f.server.port);
    const auto response = client.upgrade("/ws");
    CHECK(response.status == 101);
    CHECK(response.header("sec-websocket-accept") == "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
    CHECK(response.header("x-extra") == "a  b");
    CHECK(response.head.find("Server") == std::string::npos);
    CHECK(wait_until([&] { return f.recorder->open.load(); }));
    CHECK(f.server.total(&TransportStats::websockets) == 1);
}

TEST_CASE("an ill-formed upgrade is an ordinary request, and a refused one an ordinary answer") {
    Fixture f;
    f.server.serve = [](TestServer::Exchange exchange) {
        exchange->respond({400, {}, exchange->request().upgrade ? "upgrade" : "ordinary", true});
    };
    f.server.open();
    const std::string good = upgrade_request();
    const auto body_of = [&](std::string request) {
        Client client(f.server.port);
        client.send(request);
        const auto response = client.response();
        CHECK(response.header("connection") == "close");
        CHECK(client.ended());
        return response.body;
    };
    const auto with = [&](std::string_view from, std::string_view to) {
        std::string request = good;
        return request.replace(request.find(from), from.size(), to);
    };
    CHECK(body_of(good) == "upgrade");
    CHECK(body_of(with("Sec-WebSocket-Version: 13", "Sec-WebSocket-Version: 8")) == "ordinary");
    CHECK(body_of(with("dGhlIHNhbXBsZSBub25jZQ==", "short")) == "ordinary");
    CHECK(body_of(with("keep-alive, Upgrade", "keep-alive")) == "ordinary");
    CHECK(body_of(with("Upgrade: websocket", "Upgrade: h2c")) == "ordinary");
    CHECK(body_of(with("HTTP/1.1", "HTTP/1.0")) == "ordinary");
    CHECK(body_of(with("GET", "POST")) == "ordinary");
}

TEST_CASE("accepting what is no upgrade answers 400 and ends the handler without opening it") {
    Fixture f;
    f.server.open();
    Client client(f.server.port);
    CHECK(client.get("/").status == 400);
    CHECK(f.ended_as(WebSocketEnd::failed));
    CHECK_FALSE(f.recorder->open);
}

TEST_CASE("text and binary messages of every size come through and back") {
    Fixture f;
    f.recorder->echo = true;
    f.server.open();
    Client client(f.server.port);
    REQUIRE(client.upgrade().status == 101);
    for (std::size_t size :
         {0, 1, 125, 126, 255, 256, 257, 1535, 1536, 1537, 65535, 65536, 999'999}) {
        for (int opcode : {1, 2}) {
            const std::string payload(size, opcode == 1 ? 't' : '\xfe');
            client.send_frame(opcode, payload);
            const ClientFrame echoed = client.frame();
            REQUIRE(echoed.opcode == opcode);
            REQUIRE(echoed.fin);
            REQUIRE(echoed.payload == payload);
        }
    }
}

namespace {

/// Has every message of 1 000 bytes seen by `each`, and checks that a turn brings no more of them
/// than a slowed read has, but for the first, in which nothing was known yet.
template <typename Each>
void expect_small_pieces(Fixture& f, Each each) {
    f.recorder->receiving = [each, turns = 0, in_turn = 0](WebSocket& socket,
                                                           std::string_view) mutable {
        if (++in_turn == 1)
            socket.reactor().at_turn_end([&turns, &in_turn] {
                if (++turns > 1) CHECK(in_turn <= 1 + int{transport::kSlowedBytes} / 1000);
                in_turn = 0;
            });
        each(socket);
    };
}

}  // namespace

TEST_CASE("who sends more than it may is read in small pieces, and nothing is lost") {
    constexpr int kMessages = 200;
    Fixture f;
    expect_small_pieces(f, [](WebSocket& socket) { socket.slow_down(); });
    f.server.open();
    Client client(f.server.port);
    REQUIRE(client.upgrade().status == 101);
    std::string frames;
    for (int i = 0; i < kMessages; ++i) frames += client_frame(1, std::string(1000, 'a' + i % 26));
    client.send(frames);
    REQUIRE(wait_until([&] { return f.recorder->messages().size() == kMessages; }));
    for (int i = 0; i < kMessages; ++i)
        CHECK(f.recorder->messages()[static_cast<std::size_t>(i)].first[0] == 'a' + i % 26);
}

TEST_CASE("who sends more pings than it may is read in small pieces, and nothing is lost") {
    constexpr int kMessages = 250;
    Fixture f;
    expect_small_pieces(f, [](WebSocket&) {});
    f.server.open();
    Client client(f.server.port);
    REQUIRE(client.upgrade().status == 101);
    std::string frames;
    for (int i = 0; i < kMessages; ++i) {
        for (int control = 0; control < 50; ++control) frames += client_frame(9 + control % 2, "");
        frames += client_frame(1, std::string(1000, 'a'));
    }
    client.send(frames);
    REQUIRE(wait_until([&] { return f.recorder->messages().size() == kMessages; }));
    for (int i = 0; i < kMessages * 25; ++i) REQUIRE(client.frame().opcode == 10);
}

TEST_CASE("fragments are joined, with control frames between them") {
    Fixture f;
    f.recorder->echo = true;
    f.server.open();
    Client client(f.server.port);
    REQUIRE(client.upgrade().status == 101);
    client.send_frame(1, "one ", false);
    client.send_frame(0, "", false);
    client.send_frame(9, "now");
    client.send_frame(0, std::string(5000, '2'), false);
    client.send_frame(0, " three", true);
    const ClientFrame pong = client.frame();
    CHECK(pong.opcode == 10);
    CHECK(pong.payload == "now");
    CHECK(client.frame().payload == "one " + std::string(5000, '2') + " three");
    client.send_frame(2, "", false);
    client.send_frame(0, "", true);
    const ClientFrame empty = client.frame();
    CHECK(empty.opcode == 2);
    CHECK(empty.payload.empty());
}

TEST_CASE("frames may come one byte at a time, or with the upgrade request") {
    Fixture f;
    f.recorder->echo = true;
    f.server.open();
    Client client(f.server.port);
    client.send(upgrade_request() + client_frame(1, "early") +
                client_frame(2, std::string(3000, 'e')));
    REQUIRE(client.response().status == 101);
    CHECK(client.frame().payload == "early");
    CHECK(client.frame().payload.size() == 3000);
    for (char c : client_frame(1, std::string(300, 'b'))) client.send({&c, 1});
    CHECK(client.frame().payload == std::string(300, 'b'));
}

TEST_CASE("an upgrade moves to its session's reactor with the frames that came along") {
    Fixture f(2);
    f.recorder->echo = true;
    f.server.place = [](const transport::HttpRequest&) { return 1u; };
    f.recorder->opening = [](WebSocket& socket) {
        CHECK(socket.reactor().index() == 1);
        CHECK(socket.reactor().is_current());
    };
    f.server.open();
    for (int i = 0; i < 4; ++i) {
        Client client(f.server.port);
        client.send(upgrade_request() + client_frame(1, "early"));
        REQUIRE(client.response().status == 101);
        CHECK(client.frame().payload == "early");
    }
}

TEST_CASE("a message over the limit is answered 1009 and ends as too large") {
    Fixture f;
    f.server.options.max_message_bytes = 1000;
    f.server.open();
    Client client(f.server.port);
    REQUIRE(client.upgrade().status == 101);
    client.send_frame(1, std::string(1000, 'x'));
    REQUIRE(wait_until([&] { return f.recorder->messages().size() == 1; }));
    SUBCASE("in one frame, of which more is on the way") {
        client.send_frame(1, std::string(3'000'000, 'x'));
    }
    SUBCASE("in fragments") {
        client.send_frame(1, std::string(600, 'x'), false);
        client.send_frame(0, std::string(600, 'x'), true);
    }
    CHECK(client.frame().close_code() == 1009);
    CHECK(f.ended_as(WebSocketEnd::too_large));
}

TEST_CASE("a breach of the protocol is told and ends as failed") {
    Fixture f;
    f.server.open();
    Client client(f.server.port);
    REQUIRE(client.upgrade().status == 101);
    unsigned code = 1002;
    SUBCASE("an unmasked frame") { client.send_frame(1, "x", true, false); }
    SUBCASE("a reserved opcode") { client.send_frame(3, "x"); }
    SUBCASE("a reserved bit") { client.send_frame(0x41, "x"); }
    SUBCASE("a continuation of nothing") { client.send_frame(0, "x"); }
    SUBCASE("a fragmented ping") { client.send_frame(9, "x", false); }
    SUBCASE("a ping too long") { client.send_frame(9, std::string(126, 'x')); }
    SUBCASE("a close code that must not be sent") { client.send_frame(8, "\x03\xed"); }
    SUBCASE("text that is not UTF-8") {
        client.send_frame(1, "caf\xe9");
        code = 1007;
    }
    SUBCASE("text that stops inside a character") {
        client.send_frame(1, std::string(400, 'x') + "\xe2\x82");
        code = 1007;
    }
    CHECK(client.frame().close_code() == code);
    CHECK(f.ended_as(WebSocketEnd::failed));
    CHECK(f.recorder->messages().empty());
    CHECK(f.recorder->closes() == 1);
}

TEST_CASE("the peer's close is answered in kind and ends as closed") {
    Fixture f;
    f.server.open();
    Client client(f.server.port);
    REQUIRE(client.upgrade().status == 101);
    client.send_frame(8, "\x03\xe8");
    CHECK(client.frame().close_code() == 1000);
    CHECK(client.ended());
    CHECK(f.ended_as(WebSocketEnd::closed));
}

TEST_CASE("a peer that just goes ends as closed, one that resets as failed") {
    Fixture f;
    f.server.open();
    SUBCASE("closes") {
        {
            Client client(f.server.port);
            REQUIRE(client.upgrade().status == 101);
        }
        CHECK(f.ended_as(WebSocketEnd::closed));
    }
    SUBCASE("resets") {
        Client client(f.server.port);
        REQUIRE(client.upgrade().status == 101);
        REQUIRE(wait_until([&] { return f.recorder->open.load(); }));
        client.reset();
        CHECK(f.ended_as(WebSocketEnd::failed));
    }
    CHECK(wait_until([&] { return f.server.open_connections() == 0; }));
    CHECK(f.server.total(&TransportStats::websockets_closed) == 1);
}

TEST_CASE("close sends what is queued, then the close frame, and waits for the peer's") {
    Fixture f;
    f.recorder->receiving = [](WebSocket& socket, std::string_view) {
        socket.send(Frame::text({"last"}), Flush::window);
        socket.close(1001);
        socket.send(Frame::text({"after"}), Flush::turn);
        socket.close(1002);
    };
    f.server.open();
    Client client(f.server.port);
    REQUIRE(client.upgrade().status == 101);
    client.send_frame(1, "go");
    CHECK(client.frame().payload == "last");
    CHECK(client.frame().close_code() == 1001);
    client.send_frame(1, "ignored");
    CHECK_FALSE(f.recorder->end().has_value());
    client.send_frame(8, "\x03\xe9");
    CHECK(client.ended());
    CHECK(f.ended_as(WebSocketEnd::closed));
    CHECK(f.recorder->messages().size() == 1);
}

TEST_CASE("close works while a read is waiting, and from on_open") {
    Fixture f;
    SUBCASE("while a read is waiting") {}
    SUBCASE("from on_open") {
        f.recorder->opening = [](WebSocket& socket) { socket.close(1000); };
    }
    f.server.open();
    Client client(f.server.port);
    REQUIRE(client.upgrade().status == 101);
    REQUIRE(wait_until([&] { return f.recorder->open.load(); }));
    f.server.server->reactor(0).post([&] { f.recorder->socket.load()->close(1000); });
    CHECK(client.frame().close_code() == 1000);
    client.send_frame(8, "\x03\xe8");
    CHECK(client.ended());
    CHECK(f.ended_as(WebSocketEnd::closed));
    CHECK(f.recorder->closes() == 1);
}

TEST_CASE("a peer that never answers a close is cut after the closing timeout") {
    Fixture f;
    f.server.options.close_timeout = 50ms;
    f.recorder->opening = [](WebSocket& socket) { socket.close(1000); };
    f.server.open();
    Client client(f.server.port);
    REQUIRE(client.upgrade().status == 101);
    CHECK(client.frame().close_code() == 1000);
    CHECK(client.ended());
    CHECK(f.ended_as(WebSocketEnd::failed));
    CHECK(wait_until([&] { return f.server.open_connections() == 0; }));
}

TEST_CASE("pongs and frames keep the order in which they were written") {
    Fixture f;
    f.recorder->echo = true;
    f.server.open();
    Client client(f.server.port);
    REQUIRE(client.upgrade().status == 101);
    std::string all;
    for (int i = 0; i < 200; ++i)
        all += client_frame(1, "m" + std::to_string(i)) + client_frame(9, "p" + std::to_string(i));
    client.send(all);
    for (int i = 0; i < 200; ++i) {
        REQUIRE(client.frame().payload == "m" + std::to_string(i));
        const ClientFrame pong = client.frame();
        REQUIRE(pong.opcode == 10);
        REQUIRE(pong.payload == "p" + std::to_string(i));
    }
}

TEST_CASE("frames damaged at random neither stop the server nor leave connections behind") {
    Fixture f;
    f.server.serve = [](TestServer::Exchange exchange) {
        auto recorder = std::make_shared<Recorder>();
        recorder->echo = true;
        exchange->accept_websocket(recorder, {});
    };
    f.server.options.close_timeout = 50ms;
    f.server.open();
    std::mt19937 random(1);
    for (int round = 0; round < 200; ++round) {
        std::string frames = client_frame(1, "hello", false) + client_frame(9, "ping") +
                             client_frame(0, " world") + client_frame(2, std::string(300, 'b')) +
                             client_frame(8, "\x03\xe8");
        for (int i = 0; i < 2; ++i) frames[random() % frames.size()] = static_cast<char>(random());
        Client client(f.server.port);
        REQUIRE(client.upgrade().status == 101);
        client.send(frames);
        client.end_sending();
        client.rest();
    }
    CHECK(wait_until([&] { return f.server.open_connections() == 0; }));
    CHECK(f.server.total(&TransportStats::websockets_closed) == 200);
}
