#include "core/transport/http.hpp"

#include <doctest/doctest.h>

using namespace moonwire::transport;

TEST_CASE("a target splits into path and query at the first question mark") {
    HttpRequest request;
    request.target = "/socket.io/?EIO=4&t=a?b";
    CHECK(request.path() == "/socket.io/");
    CHECK(request.query() == "EIO=4&t=a?b");
    request.target = "/plain";
    CHECK(request.path() == "/plain");
    CHECK(request.query().empty());
}

TEST_CASE("query parameters are decoded, kept in order, and found by their decoded name") {
    HttpRequest request;
    request.target = "/?a=1+2&b%5b%5d=%41&&flag&a=3&=nameless";
    CHECK(request.query_value("a") == "1 2");
    CHECK(request.query_value("b[]") == "A");
    CHECK(request.query_value("flag").empty());
    CHECK(request.query_value("absent").empty());
    const Headers all = request.query_values();
    REQUIRE(all.size() == 5);
    CHECK(all[3] == std::pair<std::string, std::string>("a", "3"));
    CHECK(all[4] == std::pair<std::string, std::string>("", "nameless"));
}

TEST_CASE("a header is found without regard to case") {
    HttpRequest request;
    request.headers = {{"X-Token", "one"}, {"x-token", "two"}};
    CHECK(request.header("x-toKEN") == "one");
    CHECK(request.header("x-toke").empty());
}
