#include "core/base/url.hpp"

#include <doctest/doctest.h>

using namespace moonwire;

TEST_CASE("a malformed escape stays as it is") {
    CHECK(url_decode("%zz%4%") == "%zz%4%");
    CHECK(url_decode("%2F%2f+") == "// ");
    CHECK(url_decode("%00") == std::string(1, '\0'));
}

TEST_CASE("a query's pairs are decoded, in order, and found by their decoded name") {
    const auto pairs = parse_query("a=1+2&b%5b%5d=%41&&flag&a=3&=nameless");
    REQUIRE(pairs.size() == 5);
    CHECK(pairs[1] == std::pair<std::string, std::string>("b[]", "A"));
    CHECK(pairs[2].second.empty());
    CHECK(pairs[4] == std::pair<std::string, std::string>("", "nameless"));
    CHECK(find_in_query("a=1&a=2", "a") == "1");
    CHECK(find_in_query("a=1", "b").empty());
}
