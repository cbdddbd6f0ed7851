#include "core/socketio/event_check.hpp"

#include <doctest/doctest.h>

#include <vector>

using namespace moonwire;
using namespace moonwire::socketio;

namespace {

/// The event's name, or what is wrong.
std::string checked(const std::string& json, std::size_t attachments = 0) {
    const std::vector<SharedBytes> bytes(attachments, SharedBytes::copy("b"));
    const auto name = check_event({json, bytes});
    return name ? *name : "! " + name.error().message;
}

std::string nested(int levels) {
    return "[\"e\"," + std::string(levels, '[') + std::string(levels, ']') + "]";
}

}  // namespace

TEST_CASE("an event that another server wrote is looked at to its end") {
    CHECK(checked(R"(["e"])") == "e");
    CHECK(checked(R"([ "e" , {"a":[1,true,null,"x",-1.5e3]} ])") == "e");
    CHECK(checked(R"(["connect"])") == "! reserved event name connect");
    CHECK(checked(R"([{}])") == "! EVENT without a name");
    CHECK(checked(R"({"e":1})") == "! EVENT without a name");
    CHECK(checked("") == "! EVENT without a name");
    for (const char* broken : {R"(["e")", R"(["e",])", R"(["e"]])", R"(["e",{"a"}])", R"(["e"]x)",
                               "[\"e\",\"\xff\"]", R"(["e",nul])"})
        CHECK(checked(broken) == "! malformed JSON");
}

TEST_CASE("it must not be deeper than what scripts can read") {
    CHECK(checked(nested(63)) == "e");
    CHECK(checked(nested(64)) == "! nested too deep");
    CHECK(checked(nested(1'000'000)) == "! nested too deep");
}

TEST_CASE("every attachment that it speaks of must be there") {
    const std::string one = R"(["e",{"_placeholder":true,"num":0}])";
    const std::string second = R"(["e",[{"num":1,"_placeholder":true}]])";
    CHECK(checked(one, 1) == "e");
    CHECK(checked(one) == "! an attachment is missing");
    CHECK(checked(second, 2) == "e");
    CHECK(checked(second, 1) == "! an attachment is missing");
    CHECK(checked(R"(["e",{"_placeholder":true}])", 1) == "! an attachment is missing");
    CHECK(checked(R"(["e",{"_placeholder":true,"num":-1}])", 1) == "! an attachment is missing");
    CHECK(checked(R"(["e",{"_placeholder":true,"num":"0"}])", 1) == "! an attachment is missing");
    CHECK(checked(R"(["e",{"_placeholder":false,"num":7},{"num":9}])") == "e");
    CHECK(checked(R"(["_placeholder",true])") == "_placeholder");
}
