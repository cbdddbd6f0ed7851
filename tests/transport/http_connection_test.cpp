#include "core/transport/http_connection.hpp"

#include <doctest/doctest.h>

#include <atomic>
#include <mutex>
#include <random>
#include <stdexcept>
#include <string>

#include "tests/transport/client.hpp"
#include "tests/transport/test_server.hpp"

using namespace moonwire;
using namespace moonwire::test;
using namespace std::chrono_literals;
using transport::TransportStats;

namespace {

/// Keeps the exchanges it is given, for the test to answer.
struct Parked {
    std::function<void(TestServer::Exchange)> serve() {
        return [this](TestServer::Exchange exchange) {
            exchange->on_abort([this] { ++aborts; });
            std::lock_guard lock(mutex);
            exchanges.push_back(std::move(exchange));
        };
    }
    std::size_t count() {
        std::lock_guard lock(mutex);
        return exchanges.size();
    }
    TestServer::Exchange take() {
        std::lock_guard lock(mutex);
        auto taken = std::move(exchanges.front());
        exchanges.erase(exchanges.begin());
        return taken;
    }
    std::mutex mutex;
    std::vector<TestServer::Exchange> exchanges;
    std::atomic<int> aborts{0};
};

void respond_on_reactor(TestServer::Exchange exchange, transport::HttpResponse response) {
    Reactor& reactor = exchange->reactor();
    reactor.post([exchange = std::move(exchange), response = std::move(response)]() mutable {
        exchange->respond(std::move(response));
    });
}

}  // namespace

TEST_CASE("a connection is kept alive for one request after another") {
    TestServer server;
    server.open();
    Client client(server.port);
    for (int i = 0; i < 3; ++i) {
        const auto response = client.get("/r" + std::to_string(i));
        CHECK(response.status == 200);
        CHECK(response.body == "/r" + std::to_string(i));
        CHECK(response.header("date").size() == 29);
        CHECK(response.header("connection").empty());
        CHECK(response.header("server").empty());
    }
    CHECK(server.total(&TransportStats::connections) == 1);
    CHECK(server.total(&TransportStats::http_requests) == 3);
}

TEST_CASE("Connection: close and HTTP/1.0 end the connection after the response") {
    TestServer server;
    server.open();
    Client closing(server.port);
    CHECK(closing.get("/", "Connection: close\r\n").header("connection") == "close");
    CHECK(closing.ended());

    Client old(server.port);
    old.send("GET /old HTTP/1.0\r\n\r\n");
    CHECK(old.response().body == "/old");
    CHECK(old.ended());

    Client old_but_keen(server.port);
    old_but_keen.send("GET /1 HTTP/1.0\r\nConnection: keep-alive\r\n\r\n");
    CHECK(old_but_keen.response().header("connection") == "keep-alive");
    old_but_keen.send("GET /2 HTTP/1.0\r\n\r\n");
    CHECK(old_but_keen.response().body == "/2");
}

TEST_CASE("the handler sees the request as it was sent") {
    TestServer server;
    server.serve = [](TestServer::Exchange exchange) {
        const auto& request = exchange->request();
        CHECK(request.method == "PUT");
        CHECK(request.header("x-mixed-case") == "Value");
        CHECK(request.headers[1].first == "X-Mixed-Case");
        CHECK(request.remote_address == "127.0.0.1");
        CHECK(request.remote_port != 0);
        CHECK_FALSE(request.upgrade);
        CHECK(exchange->reactor().is_current());
        exchange->respond({201, {{"X-A", "b"}}, request.body, false});
    };
    server.open();
    Client client(server.port);
    client.send(
        "PUT /x HTTP/1.1\r\nHost: h\r\nX-Mixed-Case: Value\r\nContent-Length: 5\r\n\r\nhello");
    const auto response = client.response();
    CHECK(response.status == 201);
    CHECK(response.header("x-a") == "b");
    CHECK(response.body == "hello");
}

TEST_CASE("a response header cannot be split by a line break in its value") {
    TestServer server;
    server.serve = [](TestServer::Exchange exchange) {
        exchange->respond({200, {{"X-Echo", "a\r\nX-Evil: 1"}}, "", false});
    };
    server.open();
    Client client(server.port);
    const auto response = client.get("/");
    CHECK(response.header("x-evil").empty());
    CHECK(response.header("x-echo") == "a  X-Evil: 1");
}

TEST_CASE("HEAD has the length without the body, and 204 has neither") {
    TestServer server;
    server.serve = [](TestServer::Exchange exchange) {
        const unsigned status = exchange->request().path() == "/none" ? 204 : 200;
        exchange->respond({status, {}, status == 204 ? "" : "four", false});
    };
    server.open();
    Client client(server.port);
    client.send("HEAD / HTTP/1.1\r\nHost: h\r\n\r\n");
    CHECK(client.response(true).header("content-length") == "4");
    CHECK(client.get("/none").header("content-length").empty());
    CHECK(client.get("/").body == "four");
}

TEST_CASE("pipelined requests are answered one after another, in order") {
    TestServer server;
    server.open();
    Client client(server.port);
    std::string all;
    for (int i = 0; i < 500; ++i)
        all += "GET /" + std::to_string(i) + " HTTP/1.1\r\nHost: h\r\n\r\n";
    client.send(all);
    for (int i = 0; i < 500; ++i) REQUIRE(client.response().body == "/" + std::to_string(i));
}

TEST_CASE("a pipelined request waits until the one before is answered") {
    TestServer server;
    Parked parked;
    server.serve = parked.serve();
    server.open();
    Client client(server.port);
    client.send("GET /1 HTTP/1.1\r\nHost: h\r\n\r\n");
    REQUIRE(wait_until([&] { return parked.count() == 1; }));
    // More than it will hold on to while it waits.
    client.send("POST /2 HTTP/1.1\r\nHost: h\r\nContent-Length: 200000\r\n\r\n" +
                std::string(200'000, 'b'));
    respond_on_reactor(parked.take(), {200, {}, "first", false});
    CHECK(client.response().body == "first");
    REQUIRE(wait_until([&] { return parked.count() == 1; }));
    auto second = parked.take();
    CHECK(second->request().body.size() == 200'000);
    respond_on_reactor(std::move(second), {200, {}, "second", false});
    CHECK(client.response().body == "second");
    CHECK(parked.aborts == 0);
}

TEST_CASE("a request may come one byte at a time") {
    TestServer server;
    server.serve = [](TestServer::Exchange exchange) {
        exchange->respond({200, {}, exchange->request().body, false});
    };
    server.open();
    Client client(server.port);
    for (char c : std::string("\r\nPOST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n"
                              "3\r\nabc\r\n2;x=y\r\nde\r\n0\r\n\r\n"))
        client.send({&c, 1});
    CHECK(client.response().body == "abcde");
    CHECK(client.get("/").status == 200);
}

TEST_CASE("a header over the limit is answered 431") {
    TestServer server;
    server.options.max_header_bytes = 2048;
    server.open();
    Client client(server.port);
    CHECK(client.get("/", "X: " + std::string(4096, 'x') + "\r\n").status == 431);
    CHECK(client.ended());
    Client endless(server.port);
    endless.send("GET /" + std::string(100'000, 'a'));
    CHECK(endless.response().status == 431);
}

TEST_CASE("a body over the limit is answered 413, announced or chunked") {
    TestServer server;
    server.options.max_body_bytes = 1000;
    server.open();
    Client exact(server.port);
    exact.send("POST /ok HTTP/1.1\r\nHost: h\r\nContent-Length: 1000\r\n\r\n" +
               std::string(1000, 'x'));
    CHECK(exact.response().status == 200);

    Client announced(server.port);
    announced.send("POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 1001\r\n\r\n");
    CHECK(announced.response().status == 413);
    CHECK(announced.ended());

    Client chunked(server.port);
    chunked.send("POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n");
    for (int i = 0; i < 3; ++i) chunked.send("190\r\n" + std::string(400, 'x') + "\r\n");
    CHECK(chunked.response().status == 413);
}

TEST_CASE("a client that is still sending reads its refusal") {
    TestServer server;
    server.options.max_body_bytes = 1000;
    server.open();
    Client client(server.port);
    client.send("POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 3000000\r\n\r\n");
    client.send(std::string(3'000'000, 'x'));
    CHECK(client.response().status == 413);
}

TEST_CASE("a chunk extension or trailer that never ends is refused") {
    TestServer server;
    server.options.max_header_bytes = 2048;
    server.open();
    for (const char* start : {"5;x=", "0\r\nX: "}) {
        Client client(server.port);
        client.send("POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n" +
                    std::string(start) + std::string(100'000, 'a'));
        const unsigned status = client.response().status;
        CHECK((status == 431 || status == 400));
    }
}

TEST_CASE("what is not HTTP is answered 400 and the connection closed") {
    TestServer server;
    server.open();
    for (std::string garbage :
         {std::string("\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", 11),
          std::string("hello\r\n\r\n"), std::string("GET / HTTP/1.1\r\nno colon\r\n\r\n"),
          std::string("GET / HTTP/1.1\r\n\r\n"),
          std::string("GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n"), std::string(300, '\xff'),
          std::string("POST / HTTP/1.1\r\nContent-Length: x\r\n\r\n"),
          std::string("POST / HTTP/1.1\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n"),
          std::string("POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\nxyz\r\n")}) {
        Client client(server.port);
        client.send(garbage);
        CHECK(client.response().status == 400);
        CHECK(client.ended());
    }
    Client version(server.port);
    version.send("GET / HTTP/3.7\r\n\r\n");
    CHECK(version.response().status >= 400);
}

TEST_CASE("requests damaged at random neither stop the server nor leave connections behind") {
    TestServer server;
    server.options.close_timeout = 50ms;
    server.options.header_timeout = 50ms;
    server.options.body_timeout = 50ms;
    server.open();
    std::mt19937 random(1);
    for (int round = 0; round < 300; ++round) {
        std::string request =
            "POST /a?b=c HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\nX: y\r\n\r\n"
            "5;e=f\r\nhello\r\n0\r\nT: u\r\n\r\nGET / HTTP/1.1\r\nHost: h\r\n\r\n";
        for (int i = 0; i < 3; ++i)
            request[random() % request.size()] = static_cast<char>(random());
        Client client(server.port);
        client.send(request.substr(0, random() % (2 * request.size())));
        client.end_sending();
        client.rest();
    }
    Client client(server.port);
    CHECK(client.get("/alive").body == "/alive");
    CHECK(wait_until([&] { return server.open_connections() <= 1; }));
}

TEST_CASE("a client that asks first gets 100 Continue, one that doesn't wait gets none") {
    TestServer server;
    server.serve = [](TestServer::Exchange exchange) {
        exchange->respond({200, {}, exchange->request().body, false});
    };
    server.open();
    Client client(server.port);
    const std::string head =
        "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\nExpect: 100-continue\r\n\r\n";
    client.send(head);
    CHECK(client.response().status == 100);
    client.send("abc");
    CHECK(client.response().body == "abc");
    client.send(head + "def");
    CHECK(client.response().body == "def");
}

TEST_CASE("a slow head or body is answered 408, a silent connection is closed") {
    TestServer server;
    server.options.header_timeout = 50ms;
    server.options.body_timeout = 50ms;
    server.options.idle_timeout = 50ms;
    server.options.close_timeout = 50ms;  // for clients that don't close either
    server.open();
    Client head(server.port);
    head.send("GET / HTT");
    CHECK(head.response().status == 408);
    CHECK(head.ended());
    Client body(server.port);
    body.send("POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\n\r\nab");
    CHECK(body.response().status == 408);
    Client silent(server.port);
    CHECK(silent.rest().empty());
    Client idle(server.port);
    CHECK(idle.get("/").status == 200);
    CHECK(idle.rest().empty());
    CHECK(wait_until([&] { return server.open_connections() == 0; }));
}

TEST_CASE("a peer that leaves aborts the request that waits") {
    TestServer server;
    Parked parked;
    server.serve = parked.serve();
    server.open();
    SUBCASE("by closing") {
        Client client(server.port);
        client.send("GET / HTTP/1.1\r\nHost: h\r\n\r\n");
        REQUIRE(wait_until([&] { return parked.count() == 1; }));
    }
    SUBCASE("by resetting") {
        Client client(server.port);
        client.send("GET / HTTP/1.1\r\nHost: h\r\n\r\n");
        REQUIRE(wait_until([&] { return parked.count() == 1; }));
        client.reset();
    }
    SUBCASE("by ending its direction, after more input") {
        Client client(server.port);
        client.send("GET / HTTP/1.1\r\nHost: h\r\n\r\n");
        REQUIRE(wait_until([&] { return parked.count() == 1; }));
        client.send("GET /next HTTP/1.1\r\n");
        client.end_sending();
        CHECK(client.ended());
    }
    CHECK(wait_until([&] { return parked.aborts == 1; }));
    CHECK(wait_until([&] { return server.open_connections() == 0; }));
    auto exchange = parked.take();
    CHECK_FALSE(exchange->pending());
    respond_on_reactor(std::move(exchange), {200, {}, "too late", false});
}

TEST_CASE("a peer that ends its direction with its request still gets a prompt answer") {
    TestServer server;
    server.open();
    Client client(server.port);
    client.send("GET /half HTTP/1.1\r\nHost: h\r\n\r\n");
    client.end_sending();
    CHECK(client.response().body == "/half");
    CHECK(client.ended());
    Client ahead(server.port);
    for (int i = 0; i < 3; ++i)
        ahead.send("GET /" + std::to_string(i) + " HTTP/1.1\r\nHost: h\r\n\r\n");
    ahead.end_sending();
    for (int i = 0; i < 3; ++i) CHECK(ahead.response().body == "/" + std::to_string(i));
    CHECK(ahead.ended());
    Client partial(server.port);
    partial.send("GET /half HTTP/1.1\r\nHo");
    partial.end_sending();
    CHECK(partial.rest().empty());
}

TEST_CASE("an exchange that nobody answers answers 500, and one dropped answers nothing") {
    TestServer server;
    server.serve = [](TestServer::Exchange exchange) {
        if (exchange->request().path() == "/drop") exchange->drop();
        if (exchange->request().path() == "/throw") throw std::runtime_error("handler failed");
    };
    server.place = [](const transport::HttpRequest& request) -> unsigned {
        if (request.path() == "/lost") throw std::runtime_error("no place");
        return 0;
    };
    server.open();
    Client client(server.port);
    CHECK(client.get("/").status == 500);
    CHECK(client.get("/throw").status == 500);
    CHECK(client.get("/lost").status == 500);
    CHECK(client.get("/drop").status == 0);
}

TEST_CASE("an exchange is answered once") {
    TestServer server;
    server.serve = [](TestServer::Exchange exchange) {
        CHECK(exchange->pending());
        exchange->respond({200, {}, "first", false});
        CHECK_FALSE(exchange->pending());
        exchange->respond({200, {}, "second", false});
        exchange->drop();
    };
    server.open();
    Client client(server.port);
    CHECK(client.get("/").body == "first");
    CHECK(client.get("/").body == "first");
}

TEST_CASE("a response larger than the socket's buffers arrives whole") {
    TestServer server;
    server.options.send_queue_bytes = 1000;  // for WebSockets
    server.serve = [](TestServer::Exchange exchange) {
        exchange->respond({200, {}, std::string(20'000'000, 'x'), false});
    };
    server.open();
    Client client(server.port, 4096);
    CHECK(client.get("/").body.size() == 20'000'000);
    CHECK(client.get("/").body.size() == 20'000'000);
}

TEST_CASE("a reader that stops reading its response is cut off") {
    TestServer server;
    server.options.write_timeout = 50ms;
    server.serve = [](TestServer::Exchange exchange) {
        exchange->respond({200, {}, std::string(20'000'000, 'x'), false});
    };
    server.open();
    Client client(server.port, 4096);
    client.send("GET / HTTP/1.1\r\nHost: h\r\n\r\n");
    REQUIRE(wait_until([&] { return server.total(&TransportStats::connections) == 1; }));
    CHECK(wait_until([&] { return server.open_connections() == 0; }));
}

TEST_CASE("a request moves its connection to the reactor that must serve it") {
    TestServer server(3);
    server.place = [](const transport::HttpRequest& request) {
        return static_cast<unsigned>(request.target[1] - '0');
    };
    server.serve = [&](TestServer::Exchange exchange) {
        const auto& request = exchange->request();
        const unsigned wanted = static_cast<unsigned>(request.target[1] - '0');
        const bool right =
            exchange->reactor().index() == wanted && exchange->reactor().is_current();
        exchange->respond({right ? 200u : 500u, {}, request.target + request.body, false});
    };
    server.open();
    Client client(server.port);
    for (int i = 0; i < 60; ++i) {
        const std::string target = "/" + std::to_string(i % 3) + "/" + std::to_string(i);
        const auto response = client.get(target);
        REQUIRE(response.status == 200);
        REQUIRE(response.body == target);
    }
    // With input that was read before the move.
    std::string all;
    for (int i = 0; i < 60; ++i)
        all += "POST /" + std::to_string(i % 3) +
               " HTTP/1.1\r\nHost: h\r\nContent-Length: 2\r\n\r\n" + std::to_string(10 + i);
    client.send(all);
    for (int i = 0; i < 60; ++i) {
        const auto response = client.response();
        REQUIRE(response.status == 200);
        REQUIRE(response.body == "/" + std::to_string(i % 3) + std::to_string(10 + i));
    }
    CHECK(server.open_connections() == 1);
}

TEST_CASE("a request that asked for 100 Continue moves with its body") {
    TestServer server(2);
    server.place = [](const transport::HttpRequest&) { return 1u; };
    server.serve = [](TestServer::Exchange exchange) {
        exchange->respond({200, {}, exchange->request().body, false});
    };
    server.open();
    Client client(server.port);
    client.send("POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\nExpect: 100-continue\r\n\r\n");
    CHECK(client.response().status == 100);
    client.send("abc");
    CHECK(client.response().body == "abc");
}

TEST_CASE("a connection that moved notices its peer's departure there") {
    TestServer server(2);
    Parked parked;
    server.place = [](const transport::HttpRequest&) { return 1u; };
    server.serve = parked.serve();
    server.open();
    for (int i = 0; i < 4; ++i) {
        Client client(server.port);
        client.send("GET / HTTP/1.1\r\nHost: h\r\n\r\n");
        REQUIRE(wait_until([&] { return parked.count() == std::size_t(i + 1); }));
    }
    CHECK(wait_until([&] { return parked.aborts == 4; }));
    CHECK(wait_until([&] { return server.open_connections() == 0; }));
}
