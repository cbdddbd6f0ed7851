#include "core/transport/server.hpp"

#include <doctest/doctest.h>
#include <sys/resource.h>
#include <unistd.h>

#include <atomic>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "tests/transport/client.hpp"
#include "tests/transport/test_server.hpp"

using namespace moonwire;
using namespace moonwire::test;
using namespace std::chrono_literals;
using transport::TransportStats;
using transport::WebSocketEnd;

TEST_CASE("port 0 picks a port, and a port in use is an error naming host and port") {
    TestServer first;
    first.open();
    CHECK(first.port != 0);
    TestServer second;
    second.options.port = first.port;
    transport::TransportServer server(second.options, 1);
    const auto result = server.listen(second);
    REQUIRE_FALSE(result.has_value());
    CHECK(result.error().message ==
          "cannot listen on 127.0.0.1:" + std::to_string(first.port) + ": Address already in use");
}

TEST_CASE("a host that is no address of this machine is an error naming it") {
    TestServer handler;
    for (const char* host : {"203.0.113.7", "999.999.999.999.invalid"}) {
        handler.options.host = host;
        transport::TransportServer server(handler.options, 1);
        const auto result = server.listen(handler);
        REQUIRE_FALSE(result.has_value());
        CHECK(result.error().message.find(std::string(host) + ":0") != std::string::npos);
    }
}

TEST_CASE("a host name serves") {
    TestServer server;
    server.options.host = "localhost";
    server.open();
    CHECK(server.port != 0);
}

TEST_CASE("the unspecified IPv6 address serves IPv4 too, under its own address") {
    TestServer server;
    server.options.host = "::";
    server.serve = [](TestServer::Exchange exchange) {
        exchange->respond({200, {}, exchange->request().remote_address, false});
    };
    transport::TransportServer probe(server.options, 1);
    if (!probe.listen(server)) return;  // a machine without IPv6
    server.open();
    Client client(server.port);
    CHECK(client.get("/").body == "127.0.0.1");
}

TEST_CASE("connections go round the reactors in turn") {
    TestServer server(3);
    std::mutex mutex;
    std::vector<unsigned> seen(3, 0);
    server.serve = [&](TestServer::Exchange exchange) {
        {
            std::lock_guard lock(mutex);
            ++seen[exchange->reactor().index()];
        }
        exchange->respond({200, {}, "", true});
    };
    server.open();
    for (int i = 0; i < 9; ++i) {
        Client client(server.port);
        CHECK(client.get("/").status == 200);
    }
    CHECK(seen == std::vector<unsigned>{3, 3, 3});
    CHECK(wait_until([&] { return server.open_connections() == 0; }));
}

TEST_CASE("connections over the limit are answered 503, and a place given back is used again") {
    TestServer server(2);
    server.options.max_connections = 2;
    server.open();
    auto first = std::make_unique<Client>(server.port);
    Client second(server.port);
    CHECK(first->get("/").status == 200);
    CHECK(second.get("/").status == 200);
    {
        Client third(server.port);
        CHECK(third.get("/").status == 503);
        CHECK(third.ended());
    }
    CHECK(server.total(&TransportStats::refused) == 1);
    first.reset();
    REQUIRE(wait_until([&] { return server.open_connections() == 1; }));
    Client fourth(server.port);
    CHECK(fourth.get("/").status == 200);
}

TEST_CASE("out of descriptors the listener waits, and serves when there are some again") {
    TestServer server;
    server.open();
    rlimit before{};
    REQUIRE(getrlimit(RLIMIT_NOFILE, &before) == 0);
    rlimit low = before;
    low.rlim_cur = 64;
    REQUIRE(setrlimit(RLIMIT_NOFILE, &low) == 0);
    std::vector<int> fillers;
    for (int fd; (fd = ::dup(0)) >= 0;) fillers.push_back(fd);
    REQUIRE_FALSE(fillers.empty());
    ::close(fillers.back());
    fillers.pop_back();
    Client client(server.port);  // takes the last one; the kernel completes its connection
    client.send("GET /late HTTP/1.1\r\nHost: h\r\n\r\n");
    for (int turn = 0; turn < 3; ++turn) {  // by then it has tried
        std::atomic<bool> passed{false};
        server.server->reactor(0).post([&] { passed = true; });
        REQUIRE(wait_until([&] { return passed.load(); }));
    }
    CHECK(server.total(&TransportStats::connections) == 0);
    for (int fd : fillers) ::close(fd);
    setrlimit(RLIMIT_NOFILE, &before);
    CHECK(client.response().body == "/late");
}

TEST_CASE("after stop_accepting nobody new gets in, and who is in stays") {
    TestServer server;
    server.open();
    Client client(server.port);
    CHECK(client.get("/1").status == 200);
    server.server->stop_accepting();
    CHECK(wait_until([&] {
        try {
            Client late(server.port);
            return false;
        } catch (const std::exception&) {
            return true;
        }
    }));
    CHECK(client.get("/2").status == 200);
}

TEST_CASE("stop ends every kind of connection and tells its handler once") {
    TestServer server(2);
    auto recorder = std::make_shared<Recorder>();
    std::atomic<int> waiting{0};
    std::atomic<int> aborts{0};
    std::mutex mutex;
    std::vector<TestServer::Exchange> held;
    server.serve = [&](TestServer::Exchange exchange) {
        if (exchange->request().upgrade) {
            exchange->accept_websocket(recorder, {});
            return;
        }
        exchange->on_abort([&] { ++aborts; });
        std::lock_guard lock(mutex);
        held.push_back(std::move(exchange));
        ++waiting;
    };
    server.place = [](const transport::HttpRequest&) { return 1u; };
    server.open();
    Client websocket(server.port), polling(server.port), idle(server.port), partial(server.port);
    REQUIRE(websocket.upgrade().status == 101);
    polling.send("GET / HTTP/1.1\r\nHost: h\r\n\r\n");
    partial.send("GET / HT");
    REQUIRE(wait_until([&] { return waiting == 1 && recorder->open; }));
    server.server->stop();
    CHECK(websocket.ended());
    CHECK(polling.ended());
    CHECK(idle.ended());
    CHECK(partial.ended());
    CHECK(recorder->end() == WebSocketEnd::closed);
    CHECK(recorder->closes() == 1);
    CHECK(aborts == 1);
    CHECK(server.open_connections() == 0);
    held.clear();
}

TEST_CASE("stop in the midst of traffic between reactors leaves nothing behind") {
    for (int round = 0; round < 5; ++round) {
        TestServer server(3);
        std::atomic<unsigned> next{0};
        std::atomic<unsigned> served{0};
        server.place = [&](const transport::HttpRequest&) { return next++ % 3; };
        server.serve = [&](TestServer::Exchange exchange) {
            ++served;
            exchange->respond({200, {}, "", false});
        };
        server.open();
        std::vector<std::unique_ptr<Client>> clients;
        std::string burst;
        for (int i = 0; i < 200; ++i) burst += "GET / HTTP/1.1\r\nHost: h\r\n\r\n";
        for (int i = 0; i < 10; ++i) {
            clients.push_back(std::make_unique<Client>(server.port));
            clients.back()->send(burst);
        }
        REQUIRE(wait_until([&] { return served > 100; }));
        server.server->stop();
        for (auto& client : clients) client->rest();
    }
}

TEST_CASE("a server that never started, or never listened, stops") {
    TestServer handler;
    { transport::TransportServer server(handler.options, 2); }
    {
        transport::TransportServer server(handler.options, 2);
        server.start();
        server.stop();
        server.stop();
    }
    {
        transport::TransportServer server(handler.options, 0);
        CHECK(server.reactor_count() == 1);
        CHECK(server.listen(handler).value().front().port != 0);
    }
}

TEST_CASE("an address has so many connections, on whichever reactors, and gets them back") {
    TestServer server(2);
    server.options.max_connections_per_ip = 3;
    // Every request takes its connection to the other reactor.
    server.place = [](const transport::HttpRequest& request) {
        return request.target == "/0" ? 0u : 1u;
    };
    server.open();
    for (int storm = 0; storm < 20; ++storm) {
        std::vector<std::unique_ptr<Client>> clients;
        for (int i = 0; i < 3; ++i) {
            clients.push_back(std::make_unique<Client>(server.port));
            REQUIRE(clients.back()->get("/" + std::to_string(i % 2)).status == 200);
            REQUIRE(clients.back()->get("/" + std::to_string((i + 1) % 2)).status == 200);
        }
        Client one_too_many(server.port);
        CHECK(one_too_many.get("/0").status == 0);
        CHECK(clients.front()->get("/1").status == 200);
        for (auto& client : clients) client->reset();
        REQUIRE(wait_until([&] { return server.open_connections() == 0; }));
    }
    CHECK(server.total(&TransportStats::refused) == 20);
}

TEST_CASE("a trusted proxy and a Unix-domain socket have as many connections as they want") {
    TestServer server;
    server.options.max_connections_per_ip = 1;
    server.options.trusted_proxies = transport::TrustedProxies::parse({"127.0.0.1"}).value();
    server.open();
    Client first(server.port), second(server.port);
    CHECK(first.get("/").status == 200);
    CHECK(second.get("/").status == 200);
}
