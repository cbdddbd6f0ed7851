#include "core/transport/http_client.hpp"

#include <doctest/doctest.h>
#include <strings.h>

#include <future>
#include <tuple>

#include "tests/transport/client.hpp"
#include "tests/transport/raw_server.hpp"
#include "tests/transport/test_server.hpp"
#include "tests/transport/tls_client.hpp"

using namespace moonwire;
using namespace moonwire::test;
using namespace std::chrono_literals;
using transport::HttpClient;
using transport::HttpClientOptions;
using transport::OutgoingRequest;
using transport::OutgoingResponse;
using transport::TransportStats;

namespace {

using Answer = std::future<Result<OutgoingResponse>>;

/// A client on a reactor of its own.
struct Fixture {
    explicit Fixture(const HttpClientOptions& options = {}) {
        reactors.start();
        client = std::make_unique<HttpClient>(options, std::vector{&reactors.reactor(0)});
        const auto opened = client->open();
        REQUIRE_MESSAGE(opened, opened.error().message);
    }
    ~Fixture() {
        client->stop();
        reactors.stop();
    }

    Answer start(OutgoingRequest request) {
        auto promise = std::make_shared<std::promise<Result<OutgoingResponse>>>();
        reactors.reactor(0).post([this, promise, request = std::move(request)]() mutable {
            const auto returned = std::make_shared<bool>(false);
            client->request(std::move(request), reactors.reactor(0),
                            [this, promise, returned](Result<OutgoingResponse> result) {
                                const bool well = *returned && reactors.reactor(0).is_current();
                                if (!well) result = Error{"called back at a wrong time or place"};
                                promise->set_value(std::move(result));
                            });
            *returned = true;
        });
        return promise->get_future();
    }
    static OutgoingRequest get(const std::string& url, Duration timeout = 20s) {
        OutgoingRequest request;
        request.url = parse_http_url(url).value();
        request.timeout = timeout;
        return request;
    }
    static OutgoingResponse response(Answer answer) {
        auto result = wait(std::move(answer));
        if (!result) FAIL("no response: ", result.error().message);
        return *std::move(result);
    }
    static std::string error(Answer answer) {
        const auto result = wait(std::move(answer));
        return result ? "answered " + std::to_string(result->status) : result.error().message;
    }
    static Result<OutgoingResponse> wait(Answer answer) {
        if (answer.wait_for(20s) != std::future_status::ready) return Error{"(no end)"};
        return answer.get();
    }

    transport::TransportServer reactors{{}, 1};
    std::unique_ptr<HttpClient> client;
};

std::string at(std::uint16_t port, const std::string& target = "/") {
    return "http://127.0.0.1:" + std::to_string(port) + target;
}

std::string header(const transport::Headers& headers, const std::string& name) {
    for (const auto& [key, value] : headers)
        if (key == name) return value;
    return "(none)";
}

/// Serves every connection with one fixed answer, then reads until the client closes.
std::function<void(RawPeer&)> answering(std::string bytes) {
    return [bytes = std::move(bytes)](RawPeer& peer) {
        if (!peer.request().empty()) peer.send(bytes);
        peer.request();
    };
}

}  // namespace

TEST_CASE("a request arrives as it was made, and its response comes back") {
    TestServer server;
    transport::HttpRequest seen;
    server.serve = [&](TestServer::Exchange exchange) {
        seen = exchange->request();
        exchange->respond({201, {{"X-Answer", "yes"}}, "hello " + seen.body, false});
    };
    server.open();
    Fixture f;
    OutgoingRequest request = f.get(at(server.port, "/a/b?c=%20d"));
    request.method = "PUT";
    request.headers = {{"x-key", "k"}, {"user-agent", "mine"}};
    request.body = "body";
    const auto response = f.response(f.start(std::move(request)));
    CHECK(response.status == 201);
    CHECK(response.body == "hello body");
    CHECK(header(response.headers, "x-answer") == "yes");
    CHECK(seen.method == "PUT");
    CHECK(seen.target == "/a/b?c=%20d");
    CHECK(seen.body == "body");
    const auto sent = [&](const std::string& name) {
        for (const auto& [key, value] : seen.headers)
            if (strcasecmp(key.c_str(), name.c_str()) == 0) return value;
        return std::string("(none)");
    };
    CHECK(sent("x-key") == "k");
    CHECK(sent("user-agent") == "mine");
    CHECK(sent("host") == "127.0.0.1:" + std::to_string(server.port));
    CHECK(sent("content-length") == "4");
    CHECK(sent("accept-encoding") == "(none)");
    f.response(f.start(f.get(at(server.port))));
    CHECK(sent("user-agent") == "moonwire/" MOONWIRE_VERSION);
    CHECK(sent("content-length") == "(none)");
}

TEST_CASE("a response's body ends as HTTP says") {
    const std::tuple<const char*, std::string, unsigned, std::string> cases[] = {
        {"GET", "HTTP/1.1 200 OK\r\ncontent-length: 3\r\n\r\nabc", 200, "abc"},
        {"GET", "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n2\r\nab\r\n1\r\nc\r\n0\r\n\r\n",
         200, "abc"},
        {"GET", "HTTP/1.1 204 No Content\r\n\r\n", 204, ""},
        {"GET", "HTTP/1.1 304 Not Modified\r\ncontent-length: 9\r\n\r\n", 304, ""},
        {"HEAD", "HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\n", 200, ""},
        {"GET", "HTTP/1.1 302 Found\r\nlocation: /else\r\ncontent-length: 0\r\n\r\n", 302, ""},
        {"GET",
         "HTTP/1.1 103 Early Hints\r\nlink: </a>\r\n\r\nHTTP/1.1 200 OK\r\ncontent-length: 1\r\n\r\nx",
         200, "x"},
    };
    for (const auto& [method, bytes, status, body] : cases) {
        CAPTURE(bytes);
        RawServer server(answering(bytes));
        Fixture f;
        OutgoingRequest request = f.get(at(server.port));
        request.method = method;
        const auto response = f.response(f.start(std::move(request)));
        CHECK(response.status == status);
        CHECK(response.body == body);
        f.client->stop();
    }
    RawServer closing([](RawPeer& peer) {
        peer.request();
        peer.send("HTTP/1.1 200 OK\r\n\r\nto the end");
    });
    Fixture f;
    CHECK(f.response(f.start(f.get(at(closing.port)))).body == "to the end");
}

TEST_CASE("connections are kept for the next requests to the same host") {
    TestServer server;
    server.serve = [&](TestServer::Exchange exchange) {
        exchange->respond({200, {}, "", exchange->request().target == "/last"});
    };
    server.open();
    Fixture f;
    for (int i = 0; i < 5; ++i) f.response(f.start(f.get(at(server.port))));
    CHECK(server.total(&TransportStats::connections) == 1);
    // One that the server ends is not used again.
    f.response(f.start(f.get(at(server.port, "/last"))));
    f.response(f.start(f.get(at(server.port))));
    CHECK(server.total(&TransportStats::connections) == 2);
    // Another name for the same place is another host.
    f.response(f.start(f.get("http://localhost:" + std::to_string(server.port))));
    CHECK(server.total(&TransportStats::connections) == 3);
}

TEST_CASE("kept connections have limits: for a host, in all, and in time") {
    TestServer server, other;
    std::atomic<int> waiting{0};
    std::vector<TestServer::Exchange> exchanges;
    server.serve = [&](TestServer::Exchange exchange) {
        exchanges.push_back(std::move(exchange));
        if (++waiting == 3)
            for (auto& each : exchanges) each->respond({});
    };
    server.open();
    other.open();
    HttpClientOptions options;
    SUBCASE("a host's") {
        options.max_idle_per_host = 1;
        Fixture f(options);
        Answer answers[] = {f.start(f.get(at(server.port))), f.start(f.get(at(server.port))),
                            f.start(f.get(at(server.port)))};
        for (Answer& answer : answers) f.response(std::move(answer));
        CHECK(wait_until([&] { return server.open_connections() == 1; }));
        exchanges.clear();
    }
    SUBCASE("all") {
        options.max_idle = 1;
        Fixture f(options);
        waiting = 2;
        f.response(f.start(f.get(at(server.port))));
        f.response(f.start(f.get(at(other.port))));
        CHECK(wait_until([&] { return server.open_connections() == 0; }));
        CHECK(other.open_connections() == 1);
        exchanges.clear();
    }
    SUBCASE("time") {
        options.idle_timeout = 20ms;
        Fixture f(options);
        f.response(f.start(f.get(at(other.port))));
        CHECK(wait_until([&] { return other.open_connections() == 0; }));
    }
}

TEST_CASE("a kept connection that ends without an answer is tried once more, if that is safe") {
    constexpr std::string_view kAnswer = "HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n";
    // Answers once a connection, then reads the next request and closes.
    RawServer server([&](RawPeer& peer) {
        if (peer.request().empty()) return;
        peer.send(kAnswer);
        peer.request();
    });
    Fixture f;
    OutgoingRequest post = f.get(at(server.port));
    post.method = "POST";
    CHECK(f.response(f.start(f.get(at(server.port)))).status == 200);
    CHECK(f.response(f.start(f.get(at(server.port)))).status == 200);
    CHECK(server.accepted == 2);
    CHECK(f.error(f.start(post)) == "connection closed");
    CHECK(f.response(f.start(post)).status == 200);
    CHECK(server.accepted == 3);
}

TEST_CASE("a fresh connection that ends without an answer is an error, at once") {
    RawServer server([](RawPeer& peer) { peer.request(); });
    Fixture f;
    CHECK(f.error(f.start(f.get(at(server.port)))) == "connection closed");
    CHECK(server.accepted == 1);
}

TEST_CASE("a kept connection that the server has closed is not used") {
    RawServer server([](RawPeer& peer) {
        peer.request();
        peer.send("HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n");
    });
    Fixture f;
    OutgoingRequest post = f.get(at(server.port));
    post.method = "POST";
    for (int i = 1; i <= 3; ++i) {
        CHECK(f.response(f.start(post)).status == 200);
        CHECK(wait_until([&] { return server.ended == i; }));
    }
    CHECK(server.accepted == 3);
}

TEST_CASE("a response over the limits is an error that names the limit") {
    HttpClientOptions options;
    options.max_body_bytes = 100;
    options.max_header_bytes = 1000;
    const std::pair<std::string, std::string> cases[] = {
        {"HTTP/1.1 200 OK\r\ncontent-length: 101\r\n\r\n", "the response is larger than 100 bytes"},
        {"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n65\r\n" + std::string(101, 'x') +
             "\r\n0\r\n\r\n",
         "the response is larger than 100 bytes"},
        {"HTTP/1.1 200 OK\r\n\r\n" + std::string(101, 'x'), "the response is larger than 100 bytes"},
        {"HTTP/1.1 200 OK\r\nx: " + std::string(2000, 'y') + "\r\ncontent-length: 0\r\n\r\n",
         "the response's headers are larger than 1000 bytes"},
    };
    for (const auto& [bytes, message] : cases) {
        RawServer server(answering(bytes));
        Fixture f(options);
        CHECK(f.error(f.start(f.get(at(server.port)))) == message);
        f.client->stop();
    }
    RawServer server(answering("HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\n" +
                               std::string(100, 'x')));
    Fixture f(options);
    CHECK(f.response(f.start(f.get(at(server.port)))).body.size() == 100);
    f.client->stop();
}

TEST_CASE("what is no HTTP is an error") {
    for (const char* bytes :
         {"nonsense\r\n\r\n", "HTTP/1.1 2x0 OK\r\n\r\n", "HTTP/1.1 101 Switching\r\n\r\n",
          "HTTP/1.1 200 OK\r\ncontent-length: x\r\n\r\n", "HTTP/1.1 200 OK\r\na b: c\r\n\r\n"}) {
        RawServer server(answering(bytes));
        Fixture f;
        const std::string error = f.error(f.start(f.get(at(server.port))));
        CHECK_MESSAGE(error.starts_with("bad response: "), bytes, error);
        f.client->stop();
    }
    std::string hints;
    for (int i = 0; i < 20; ++i) hints += "HTTP/1.1 103 Early Hints\r\n\r\n";
    RawServer server(answering(hints));
    Fixture f;
    CHECK(f.error(f.start(f.get(at(server.port)))) == "bad response: unexpected status 103");
    f.client->stop();
}

TEST_CASE("a server may answer before it has read the whole request") {
    RawServer server(answering("HTTP/1.1 413 Too Large\r\ncontent-length: 2\r\n\r\nno"));
    Fixture f;
    OutgoingRequest request = f.get(at(server.port));
    request.method = "POST";
    request.body = std::string(64u << 20, 'x');
    const auto response = f.response(f.start(std::move(request)));
    CHECK(response.status == 413);
    CHECK(response.body == "no");
}

TEST_CASE("the timeout is over the whole call") {
    RawServer server([](RawPeer& peer) {
        peer.request();
        peer.send("HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nab");
        peer.request();
    });
    Fixture f;
    CHECK(f.error(f.start(f.get(at(server.port), 30ms))) == "timeout");
    CHECK(f.error(f.start(f.get(at(server.port), 0ms))) == "timeout");
}

TEST_CASE("who can't be reached is an error") {
    std::uint16_t closed = 0;
    {
        RawServer server([](RawPeer&) {});
        closed = server.port;
    }
    Fixture f;
    CHECK(f.error(f.start(f.get(at(closed)))) == "connection refused");
    CHECK(f.error(f.start(f.get("http://localhost:" + std::to_string(closed)))) ==
          "connection refused");
    const std::string unknown = f.error(f.start(f.get("http://nowhere.invalid/")));
    CHECK((unknown == "host not found" || unknown == "the name server does not answer"));
}

TEST_CASE("a name's addresses are tried in turn") {
    // Listens for IPv4 only, while localhost may be ::1 first.
    TestServer server;
    server.open();
    Fixture f;
    CHECK(f.response(f.start(f.get("http://localhost:" + std::to_string(server.port)))).status ==
          200);
}

TEST_CASE("requests at once over the limit are told busy") {
    std::atomic<int> arrived{0};
    std::vector<TestServer::Exchange> held;
    TestServer server;
    server.serve = [&](TestServer::Exchange exchange) {
        held.push_back(std::move(exchange));
        ++arrived;
    };
    server.open();
    HttpClientOptions options;
    options.max_requests = 2;
    Fixture f(options);
    Answer first = f.start(f.get(at(server.port))), second = f.start(f.get(at(server.port)));
    CHECK(f.error(f.start(f.get(at(server.port)))) == "busy");
    CHECK(wait_until([&] { return arrived == 2; }));
    server.server->reactor(0).post([&] {
        for (auto& each : held) each->respond({});
        held.clear();
    });
    f.response(std::move(first));
    f.response(std::move(second));
    server.serve = [](TestServer::Exchange exchange) { exchange->respond({}); };
    f.response(f.start(f.get(at(server.port))));
}

TEST_CASE("a header that is too long for HTTP is refused") {
    Fixture f;
    OutgoingRequest request = f.get("http://127.0.0.1:1/");
    request.headers = {{"x-long", std::string(20'000, 'x')}};
    CHECK(f.error(f.start(std::move(request))) == "the header 'x-long' is too long");
}

TEST_CASE("TLS: the certificate must be an authority's, and the host's") {
    TestAuthority authority, stranger;
    TestServer server;
    server.options.plain = false;
    server.options.tls.port = 0;
    server.options.tls.certificates = {authority.issue("other", "other.test", "other"),
                                       authority.issue("local", "localhost", "local")};
    server.open();
    const std::string port = std::to_string(server.port);
    HttpClientOptions options;
    options.ca_file = authority.file();
    {
        Fixture f(options);
        for (int i = 0; i < 3; ++i)
            CHECK(f.response(f.start(f.get("https://localhost:" + port + "/x"))).body == "/x");
        CHECK(server.total(&TransportStats::connections) == 1);
        CHECK(f.error(f.start(f.get("https://127.0.0.1:" + port))) ==
              "certificate not accepted: IP address mismatch");
        // Plain HTTP is no TLS.
        CHECK(f.error(f.start(f.get("http://localhost:" + port))) != "answered 200");
    }
    for (const std::string& other : {stranger.file(), std::string()}) {
        options.ca_file = other;
        Fixture f(options);
        const std::string error = f.error(f.start(f.get("https://localhost:" + port)));
        CHECK_MESSAGE(error.starts_with("certificate not accepted: "), error);
    }
    TestServer plain;
    plain.open();
    Fixture f(options);
    const std::string error =
        f.error(f.start(f.get("https://localhost:" + std::to_string(plain.port))));
    CHECK_MESSAGE(error.starts_with("TLS handshake failed: "), error);
}

TEST_CASE("TLS: a certificate for another name is not accepted") {
    TestAuthority authority;
    TestServer server;
    server.options.plain = false;
    server.options.tls.port = 0;
    server.options.tls.certificates = {authority.issue("other", "other.test", "other")};
    server.open();
    HttpClientOptions options;
    options.ca_file = authority.file();
    Fixture f(options);
    CHECK(f.error(f.start(f.get("https://localhost:" + std::to_string(server.port)))) ==
          "certificate not accepted: hostname mismatch");
}

TEST_CASE("a file of authorities that can't be read is named") {
    transport::TransportServer reactors{{}, 1};
    HttpClientOptions options;
    options.ca_file = "/nowhere/ca.pem";
    HttpClient client(options, {&reactors.reactor(0)});
    const auto opened = client.open();
    REQUIRE(!opened);
    CHECK(opened.error().message.starts_with("/nowhere/ca.pem: "));
}

TEST_CASE("stopping ends the requests in flight") {
    TestServer server;
    std::atomic<bool> arrived{false};
    std::vector<TestServer::Exchange> held;
    server.serve = [&](TestServer::Exchange exchange) {
        held.push_back(std::move(exchange));
        arrived = true;
    };
    server.open();
    Fixture f;
    Answer waiting = f.start(f.get(at(server.port)));
    CHECK(wait_until([&] { return arrived.load(); }));
    f.client->stop();
    CHECK(f.error(std::move(waiting)) == "the broker is stopping");
    CHECK(f.error(f.start(f.get(at(server.port)))) == "the broker is stopping");
    CHECK(wait_until([&] { return server.open_connections() == 0; }));
    server.server->stop();
    held.clear();
}
