#include "core/client/json_values.hpp"

#include <doctest/doctest.h>

using namespace moonwire;
using client::check_wire;
using client::from_wire;
using client::to_wire;

namespace {

std::string error_of(std::string_view json) {
    std::vector<std::string> attachments;
    const auto result = to_wire(json, attachments);
    return result ? "none" : result.error().message;
}

}  // namespace

TEST_CASE("bytes become attachments and come back as they were") {
    std::vector<std::string> attachments = {"before"};
    const auto wire =
        to_wire(R"( {"a": [ {"_bytes":"AQID"}, 1 ], "b":{"_bytes":""}} )", attachments);
    REQUIRE(wire);
    CHECK(*wire ==
          R"({"a":[{"_placeholder":true,"num":1},1],"b":{"_placeholder":true,"num":2}})");
    REQUIRE(attachments.size() == 3);
    CHECK(attachments[1] == "\x01\x02\x03");
    CHECK(attachments[2].empty());
    const auto back = from_wire(*wire, attachments);
    REQUIRE(back);
    CHECK(*back == R"({"a":[{"_bytes":"AQID"},1],"b":{"_bytes":""}})");
    const auto swapped = from_wire(R"([{"num":1,"_placeholder":true}])", attachments);
    REQUIRE(swapped);
    CHECK(*swapped == R"([{"_bytes":"AQID"}])");
}

TEST_CASE("only an object of its own stands for bytes") {
    std::vector<std::string> none;
    for (const char* json : {R"({"_bytes":"AQID","more":1})", R"({"_bytes":1})", R"(["_bytes"])",
                             R"({"x":"_bytes"})", R"({"_placeholder":true,"num":0})"}) {
        const auto wire = to_wire(json, none);
        REQUIRE(wire);
        CHECK(*wire == json);
        CHECK(none.empty());
        const auto back = from_wire(json, none);
        REQUIRE(back);
        CHECK(*back == json);
    }
}

TEST_CASE("values keep every digit and character, on one line") {
    std::vector<std::string> none;
    const auto wire = to_wire("[12345678901234567890123, 1.10 , 1e300,\n \"\\u00e4\\n\", {}, [[]]]", none);
    REQUIRE(wire);
    CHECK(*wire == "[12345678901234567890123,1.10,1e300,\"\xc3\xa4\\n\",{},[[]]]");
}

TEST_CASE("what is wrong is said, and where") {
    CHECK(error_of("{\"a\":}") == "column 6: Invalid value");
    CHECK(error_of("[1,\n  x]") == "line 2, column 3: Invalid value");
    CHECK(error_of("1 2").starts_with("column 3: "));
    CHECK(error_of("").starts_with("column 1: "));
    CHECK(error_of("\"\xff\"").find("encoding") != std::string::npos);
    CHECK(error_of(R"({"_bytes":"*"})").ends_with("_bytes is not base64"));
    CHECK(error_of(std::string(client::kMaxDepth, '[') + std::string(client::kMaxDepth, ']')) ==
          "none");
    CHECK(error_of(std::string(100'000, '[')).ends_with("nested deeper than 1000"));
}

TEST_CASE("a placeholder without its attachment is an error") {
    const std::vector<std::string> one = {"x"};
    for (const char* json : {R"([{"_placeholder":true,"num":1}])", R"([{"_placeholder":true}])",
                             R"([{"_placeholder":true,"num":-1}])",
                             R"([{"_placeholder":true,"num":0.5}])"})
        CHECK_FALSE(from_wire(json, one));
}

TEST_CASE("an event's arguments are what follows its name") {
    CHECK(client::without_first(R"(["a",1,[2]])") == "[1,[2]]");
    CHECK(client::without_first(R"(["a\"],b\\"])") == "[]");
    CHECK(client::without_first(R"(["a\"],b","c"])") == R"(["c"])");
    CHECK(client::without_first("[7,1]") == "[1]");
    CHECK(client::without_first("[7]") == "[]");
}

TEST_CASE("what goes on to another wire is checked and compact, and keeps its placeholders") {
    const std::vector<std::string> bytes{"x"};
    CHECK(*check_wire(R"( ["e", {"_placeholder" : true,"num":0}, 12345678901234567890.10 ] )", bytes) ==
          R"(["e",{"_placeholder":true,"num":0},12345678901234567890.10])");
    CHECK_FALSE(check_wire(R"([{"_placeholder":true,"num":1}])", bytes));
    CHECK_FALSE(check_wire("[", bytes));
}
