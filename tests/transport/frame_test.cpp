#include "core/transport/frame.hpp"

#include <doctest/doctest.h>

#include <string>

using moonwire::transport::Frame;

namespace {

std::string header_of(const Frame& frame) {
    return std::string(frame.wire().view().substr(0, frame.wire().size() - frame.payload().size()));
}

}  // namespace

TEST_CASE("a frame's length takes 7 bits, 16 or 64 by the payload's size") {
    CHECK(header_of(Frame::text({""})) == std::string("\x81\x00", 2));
    CHECK(header_of(Frame::text({std::string(125, 'x')})) == "\x81\x7d");
    CHECK(header_of(Frame::text({std::string(126, 'x')})) == std::string("\x81\x7e\x00\x7e", 4));
    CHECK(header_of(Frame::text({std::string(65535, 'x')})) == "\x81\x7e\xff\xff");
    CHECK(header_of(Frame::binary(std::string(65536, 'x'))) ==
          std::string("\x82\x7f\x00\x00\x00\x00\x00\x01\x00\x00", 10));
}

TEST_CASE("a frame joins its parts and is shared by its copies") {
    const Frame frame = Frame::text({"4", "2", "", "[\"a\"]"});
    const Frame copy = frame;
    CHECK(copy.payload() == "42[\"a\"]");
    CHECK(copy.wire().data() == frame.wire().data());
    CHECK_FALSE(frame.is_binary());
    CHECK(Frame::binary("x").is_binary());
    CHECK(Frame().empty());
}
