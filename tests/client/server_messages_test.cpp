#include "core/client/server_messages.hpp"

#include <doctest/doctest.h>

#include "core/client/server_url.hpp"

using namespace moonwire;
using namespace moonwire::client;

TEST_CASE("a handshake is believed only if it is one") {
    const auto good = parse_opening(R"({"sid":"x","pingInterval":25000,"pingTimeout":20000})");
    REQUIRE(good);
    CHECK(good->session_id == "x");
    CHECK(good->ping_interval == std::chrono::seconds(25));
    CHECK(good->max_payload_bytes == 0);
    for (const char* bad : {"", "[]", "{}", R"({"sid":1})", R"({"sid":"x","pingInterval":0})",
                            R"({"sid":"x","pingInterval":1e30})", "<html>"})
        CHECK_FALSE(parse_opening(bad));
}

TEST_CASE("a refusal is told with what came with it") {
    const Refused full = parse_refused(R"({"message":"no","data":{"code":"x","n":[1]}})");
    CHECK(full.message == "no");
    CHECK(full.data == R"({"code":"x","n":[1]})");
    CHECK(parse_refused(R"("old")").message == "old");
    CHECK(parse_refused("").message == "no reason given");
    const std::string deep = R"({"message":"m","data":)" + std::string(100'000, '[') +
                             std::string(100'000, ']') + "}";
    CHECK(parse_refused(deep).message == "no reason given");
}

TEST_CASE("an answer that refuses is told in one line") {
    CHECK(describe_refusal(400, R"({"code":1,"message":"Session ID unknown"})") ==
          "HTTP 400: Session ID unknown");
    CHECK(describe_refusal(404, "Not\nFound\n") == "HTTP 404: Not Found");
    CHECK(describe_refusal(502, "") == "HTTP 502");
    CHECK(describe_refusal(500, std::string(5000, 'x')).size() < 400);
}

TEST_CASE("a failed handler's acknowledgement is told from others") {
    CHECK(is_failure(R"([{"error":{"code":"full","message":"no seat"}}])"));
    for (const char* other : {"[]", R"([{"error":"text"}])", R"([{"error":{"code":1,"message":""}}])",
                              R"([{"error":{"code":"x","message":""},"more":1}])",
                              R"([{"error":{"code":"x","message":""}},2])", "nonsense"})
        CHECK_FALSE(is_failure(other));
}

TEST_CASE("a server's URL has a scheme, a host, perhaps a port and a query") {
    transport::Headers query;
    const auto url = parse_server_url("wss://[::1]:8443/?a=b%20c", query);
    REQUIRE(url);
    CHECK(url->secure);
    CHECK(url->host == "::1");
    CHECK(url->port == 8443);
    CHECK(query == transport::Headers{{"a", "b c"}});
    CHECK(parse_server_url("ws://host", query)->port == 80);
    for (const char* bad : {"host:80", "ftp://host", "http://host/chat", "http://", "http://h:0"})
        CHECK_FALSE(parse_server_url(bad, query));
    CHECK(engine_target("/socket.io/", "polling", {{"a b", "c&d"}}) ==
          "/socket.io/?EIO=4&transport=polling&a%20b=c%26d");
}
