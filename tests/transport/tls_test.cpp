#include <doctest/doctest.h>
#include <openssl/ssl.h>

#include <fstream>
#include <memory>
#include <string>

#include "core/transport/tls_channel.hpp"
#include "core/transport/tls_context.hpp"
#include "tests/transport/client.hpp"
#include "tests/transport/test_server.hpp"
#include "tests/transport/tls_client.hpp"

using namespace moonwire;
using namespace moonwire::test;
using namespace std::chrono_literals;
using transport::ClientCertificate;
using transport::Flush;
using transport::Frame;
using transport::TlsContext;
using transport::TlsOptions;
using transport::TransportStats;
using transport::WebSocket;
using transport::WebSocketEnd;

namespace {

/// A server that listens on TLS only and answers with "secure reactor subject".
struct Fixture {
    explicit Fixture(unsigned threads = 1) : server(threads) {
        server.options.plain = false;
        server.options.tls.port = 0;
        server.options.tls.certificates = {authority.issue("first", "first.test", "first")};
        server.serve = [this](TestServer::Exchange exchange) {
            const auto& request = exchange->request();
            if (request.upgrade) return exchange->accept_websocket(recorder, {});
            exchange->respond({200,
                               {},
                               std::string(request.secure ? "secure " : "plain ") +
                                   std::to_string(exchange->reactor().index()) + " " +
                                   request.client_certificate,
                               request.target == "/last"});
        };
    }
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

    TestAuthority authority;
    std::shared_ptr<Recorder> recorder = std::make_shared<Recorder>();
    TestServer server;
};

std::string why_not(const TlsOptions& options) {
    const auto context = TlsContext::load(options);
    return context ? "loaded" : context.error().message;
}

}  // namespace

TEST_CASE("requests are answered over TLS 1.3 and 1.2, and say that they are secure") {
    Fixture f;
    f.server.open();
    CHECK(f.server.addresses[0].url == "https://127.0.0.1:" + std::to_string(f.server.port));
    TlsClient client(f.server.port);
    REQUIRE(client.connected());
    CHECK(client.version() == "TLSv1.3");
    CHECK(client.protocol() == "http/1.1");
    CHECK(client.get("/").body == "secure 0 ");
    CHECK(client.get("/").body == "secure 0 ");
    TlsClient older(f.server.port, {.max_version = TLS1_2_VERSION});
    CHECK(older.version() == "TLSv1.2");
    CHECK(older.get("/").status == 200);
    CHECK(f.server.total(&TransportStats::bytes_in) > 0);
}

TEST_CASE("TLS 1.1 is refused, and TLS 1.2 where 1.3 is asked for") {
    Fixture f;
    f.server.open();
    CHECK_FALSE(TlsClient(f.server.port, {.max_version = TLS1_1_VERSION}).connected());
    Fixture strict;
    strict.server.options.tls.tls_1_2 = false;
    strict.server.open();
    CHECK_FALSE(TlsClient(strict.server.port, {.max_version = TLS1_2_VERSION}).connected());
    CHECK(TlsClient(strict.server.port).get("/").status == 200);
}

TEST_CASE("plain TCP, TLS and a Unix-domain socket serve side by side, plain first") {
    Fixture f;
    f.server.options.plain = true;
    f.server.options.unix_path = f.authority.path("socket");
    f.server.open();
    REQUIRE(f.server.addresses.size() == 3);
    CHECK(f.server.addresses[0].url.starts_with("http://"));
    CHECK(f.server.addresses[1].url.starts_with("https://"));
    CHECK(f.server.addresses[2].url.starts_with("unix:"));
    CHECK(Client(f.server.addresses[0].port).get("/").body == "plain 0 ");
    CHECK(TlsClient(f.server.addresses[1].port).get("/").body == "secure 0 ");
    CHECK(Client(f.server.options.unix_path).get("/").body == "plain 0 ");
}

TEST_CASE("a TLS connection moves between reactors and becomes a WebSocket") {
    Fixture f(2);
    f.server.place = [](const transport::HttpRequest& request) {
        return request.target == "/1" ? 1u : 0u;
    };
    f.recorder->echo = true;
    f.server.open();
    TlsClient client(f.server.port);
    for (const char* place : {"/0", "/1", "/0", "/1"})
        CHECK(client.get(place).body == "secure " + std::string(place + 1) + " ");
    // The first frame arrives in the same record as the request.
    client.send(upgrade_request("/0") + client_frame(1, "early"));
    CHECK(client.response().status == 101);
    CHECK(client.frame().payload == "early");
    client.send_frame(1, "later");
    CHECK(client.frame().payload == "later");
}

TEST_CASE("large messages pass both ways, whatever is left in OpenSSL's buffers") {
    Fixture f;
    f.recorder->echo = true;
    f.server.open();
    TlsClient client(f.server.port);
    REQUIRE(client.upgrade().status == 101);
    std::string text(900'000, 'x');
    for (std::size_t i = 0; i < text.size(); i += 7) text[i] = static_cast<char>('a' + i % 26);
    for (int i = 0; i < 3; ++i) {
        client.send_frame(1, text);
        CHECK(client.frame().payload == text);
    }
    // Many frames in few records, read in small steps.
    std::string burst;
    for (int i = 0; i < 500; ++i) burst += client_frame(1, std::to_string(i));
    client.send(burst);
    for (int i = 0; i < 500; ++i) REQUIRE(client.frame().payload == std::to_string(i));
    client.send_frame(8, std::string("\x03\xe8", 2));
    CHECK(client.frame().close_code() == 1000);
    CHECK(client.goodbye());
    CHECK(wait_until([&] { return f.recorder->end() == WebSocketEnd::closed; }));
}

TEST_CASE("what a turn queues shares records, and a peer that reads slowly gets it all in order") {
    Fixture f;
    f.server.options.send_queue_bytes = 64 << 20;
    f.server.open();
    TlsClient client(f.server.port, {.receive_buffer_bytes = 4096});
    REQUIRE(client.upgrade().status == 101);
    REQUIRE(wait_until([&] { return f.recorder->open.load(); }));
    std::uint64_t before = 0, after = 0;
    f.on_reactor([&](WebSocket& socket) {
        before = f.server.total(&TransportStats::writes);
        for (int i = 0; i < 200; ++i) socket.send(Frame::text({std::to_string(i)}), Flush::turn);
    });
    for (int i = 0; i < 200; ++i) REQUIRE(client.frame().payload == std::to_string(i));
    f.on_reactor([&](WebSocket&) { after = f.server.total(&TransportStats::writes); });
    CHECK(after == before + 1);

    // Sizes around a record's; far more than the kernel takes at once.
    const std::size_t sizes[] = {1, 16'383, 16'384, 16'385, 50'000, 3, 100};
    f.on_reactor([&](WebSocket& socket) {
        for (int i = 0; i < 300; ++i) {
            socket.send(Frame::text({std::string(sizes[i % 7], static_cast<char>('a' + i % 26))}),
                        Flush::turn);
        }
    });
    f.on_reactor([&](WebSocket& socket) { CHECK_FALSE(socket.writable()); });
    for (int i = 0; i < 300; ++i)
        REQUIRE(client.frame().payload ==
                std::string(sizes[i % 7], static_cast<char>('a' + i % 26)));
}

TEST_CASE("a client gets the certificate of the host it names, else the first") {
    Fixture f;
    f.server.options.tls.certificates.push_back(
        f.authority.issue("second", "*.second.test", "second"));
    f.server.open();
    const auto named = [&](const char* host) {
        return TlsClient(f.server.port, {.host = host}).server_name();
    };
    CHECK(named("first.test") == "first");
    CHECK(named("www.second.test") == "second");
    CHECK(named("WWW.Second.Test") == "second");
    CHECK(named("second.test") == "first");
    CHECK(named("elsewhere.test") == "first");
    CHECK(named("") == "first");
    TlsClient second(f.server.port, {.host = "x.second.test"});
    CHECK(second.get("/").body == "secure 0 ");
}

TEST_CASE("client certificates are optional or required, checked, and named to the layer above") {
    Fixture f;
    const auto alice = f.authority.issue("alice", "", "alice");
    TestAuthority stranger;
    const auto mallory = stranger.issue("mallory", "", "mallory");
    f.server.options.tls.client_ca = f.authority.file();
    f.server.options.tls.client_certificate = ClientCertificate::optional;
    f.server.open();
    CHECK(TlsClient(f.server.port).get("/").body == "secure 0 ");
    CHECK(TlsClient(f.server.port, {.certificate = alice}).get("/").body ==
          "secure 0 CN=alice,O=Test");
    CHECK(TlsClient(f.server.port, {.certificate = mallory}).get("/").status == 0);

    Fixture strict;
    strict.server.options.tls.client_ca = f.authority.file();
    strict.server.options.tls.client_certificate = ClientCertificate::required;
    strict.server.open();
    CHECK(TlsClient(strict.server.port).get("/").status == 0);
    CHECK(TlsClient(strict.server.port, {.certificate = mallory}).get("/").status == 0);
    CHECK(TlsClient(strict.server.port, {.certificate = alice}).get("/").body ==
          "secure 0 CN=alice,O=Test");
}

TEST_CASE("certificates are renewed for new connections; a bad file leaves the old in charge") {
    Fixture f;
    f.server.open();
    TlsClient before(f.server.port);
    CHECK(before.get("/").status == 200);
    Client half(f.server.port);  // its handshake begins before and ends after
    REQUIRE(half.send("\x16"));

    f.authority.issue("first", "first.test", "renewed");
    REQUIRE(f.server.server->reload_certificates());
    CHECK(wait_until([&] { return TlsClient(f.server.port).server_name() == "renewed"; }));
    CHECK(before.get("/").status == 200);

    const std::string path = f.authority.path("first.pem");
    std::ofstream(path) << "garbage";
    const auto bad = f.server.server->reload_certificates();
    REQUIRE_FALSE(bad);
    CHECK(bad.error().message.starts_with(path + ": no certificate in PEM"));
    CHECK(TlsClient(f.server.port).server_name() == "renewed");
    CHECK(before.get("/").status == 200);
}

TEST_CASE("what is wrong with certificate and key files is said with their path") {
    TestAuthority authority;
    const auto good = authority.issue("good", "good.test", "good");
    const auto other = authority.issue("other", "other.test", "other");
    TlsOptions options;
    options.certificates = {good};
    CHECK(why_not(options) == "loaded");
    const std::string missing = authority.path("missing.pem");
    options.certificates = {{missing, good.key}};
    CHECK(why_not(options) == missing + ": No such file or directory");
    options.certificates = {{good.certificate, missing}};
    CHECK(why_not(options) == missing + ": No such file or directory");
    options.certificates = {good, {good.certificate, other.key}};
    CHECK(why_not(options) == other.key + ": not the key of the certificate " + good.certificate);
    options.certificates = {{good.certificate, ""}};
    CHECK(why_not(options).starts_with(good.certificate + ": no private key in PEM"));
    options.certificates = {{good.key, good.key}};
    CHECK(why_not(options).starts_with(good.key + ": no certificate in PEM"));
    std::ofstream(authority.path("empty.pem")) << "";
    options.certificates = {{authority.path("empty.pem"), good.key}};
    CHECK(why_not(options) == authority.path("empty.pem") + ": the file is empty");
    options.certificates = {good};
    options.client_certificate = ClientCertificate::required;
    options.client_ca = missing;
    CHECK(why_not(options) == missing + ": No such file or directory");
    options.client_ca = good.key;
    CHECK(why_not(options).starts_with(good.key + ": no certificates of authorities"));
    options.client_certificate = ClientCertificate::none;
    options.ciphers = "NO-SUCH-CIPHER";
    CHECK(why_not(options) == "ciphers: none of \"NO-SUCH-CIPHER\" is known");
    options.ciphers = "ECDHE-ECDSA-AES128-GCM-SHA256:TLS_AES_128_GCM_SHA256";
    CHECK(why_not(options) == "loaded");
}

TEST_CASE("certificate and key may be in one file") {
    Fixture f;
    const auto files = f.server.options.tls.certificates[0];
    std::ifstream key(files.key);
    std::ofstream(files.certificate, std::ios::app) << key.rdbuf();
    f.server.options.tls.certificates = {{files.certificate, ""}};
    f.server.open();
    CHECK(TlsClient(f.server.port).get("/").status == 200);
}

TEST_CASE("plain HTTP, garbage and half handshakes on the TLS port end alone") {
    Fixture f;
    f.server.options.header_timeout = 300ms;
    f.server.open();
    TlsClient good(f.server.port);
    CHECK(good.get("/").status == 200);

    Client plain(f.server.port);
    plain.send("GET / HTTP/1.1\r\nHost: x\r\n\r\n");
    CHECK(plain.rest().find("HTTP/1.1 200") == std::string::npos);
    Client garbage(f.server.port);
    garbage.send(std::string(100'000, '\xff'));
    garbage.rest();
    Client silent(f.server.port);
    Client half(f.server.port);
    half.send(std::string("\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", 11));
    CHECK(silent.rest().empty());
    CHECK(half.rest().empty());
    Client gone(f.server.port);
    gone.send("\x16");
    gone.reset();
    CHECK(good.get("/").status == 200);
    CHECK(wait_until([&] { return f.server.open_connections() == 1; }));
}

TEST_CASE("the last answer is followed by an orderly end of the TLS stream") {
    Fixture f;
    f.server.open();
    TlsClient client(f.server.port);
    CHECK(client.get("/last").status == 200);
    CHECK(client.rest().empty());
    CHECK(client.goodbye());  // the server has said so, too
    TlsClient leaving(f.server.port);
    CHECK(leaving.get("/").status == 200);
    leaving.goodbye();
    CHECK(wait_until([&] { return f.server.open_connections() == 0; }));
}

TEST_CASE("a server stops with TLS connections in every state") {
    Fixture f(2);
    f.server.open();
    Client silent(f.server.port);
    Client half(f.server.port);
    half.send("\x16\x03");
    TlsClient idle(f.server.port);
    CHECK(idle.get("/").status == 200);
    TlsClient socket(f.server.port);
    CHECK(socket.upgrade().status == 101);
    f.server.server->stop();
    CHECK(socket.rest().empty());
    CHECK(wait_until([&] { return f.recorder->end().has_value(); }));
}
