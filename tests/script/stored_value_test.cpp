#include "core/script/stored_value.hpp"

#include <doctest/doctest.h>

using namespace moonwire;
using namespace moonwire::script;

TEST_CASE("a value without binary is kept as its JSON") {
    Encoded encoded;
    encoded.json = R"({"a":[1,null]})";
    CHECK(pack_value(encoded) == encoded.json);
    const auto unpacked = unpack_value(encoded.json);
    CHECK(unpacked.json == encoded.json);
    CHECK(unpacked.attachments.empty());
}

TEST_CASE("binary values are kept beside it, whatever is in them") {
    Encoded encoded;
    encoded.json = R"([{"_placeholder":true,"num":0},{"_placeholder":true,"num":1}])";
    const std::string bytes("\0\1[\xff", 4);
    encoded.attachments = {SharedBytes::copy(bytes), SharedBytes::copy("")};
    const std::string packed = pack_value(encoded);
    const auto unpacked = unpack_value(packed);
    CHECK(unpacked.json == encoded.json);
    REQUIRE(unpacked.attachments.size() == 2);
    CHECK(unpacked.attachments[0].view() == bytes);
    CHECK(unpacked.attachments[1].empty());

    // Cut short anywhere it is no value, and nothing worse.
    for (std::size_t size = 0; size < packed.size() - encoded.json.size(); ++size)
        CHECK(unpack_value(packed.substr(0, size)).json.empty());
}
