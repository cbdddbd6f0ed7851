#include "core/transport/frame_reader.hpp"

#include <doctest/doctest.h>

#include <string>
#include <vector>

#include "core/transport/inflater.hpp"
#include "tests/transport/client.hpp"

using namespace moonwire::test;
using moonwire::transport::FrameReader;
using moonwire::transport::Inflater;
using Kind = FrameReader::Kind;

namespace {

constexpr std::size_t kLimit = 100'000;

struct Seen {
    Kind kind;
    bool binary;
    std::uint16_t code;
    std::string payload;
    bool operator==(const Seen&) const = default;
};

/// All that a reader makes of `bytes`, given `step` of them at a time; up to a fault.
std::vector<Seen> read(std::string bytes, std::size_t step, std::size_t limit = kLimit) {
    FrameReader reader(limit, false);
    std::vector<Seen> seen;
    for (std::size_t at = 0; at < bytes.size(); at += step) {
        std::span<char> piece(bytes.data() + at, std::min(step, bytes.size() - at));
        while (const auto event = reader.next(piece)) {
            seen.push_back({event->kind, event->binary, event->code, std::string(event->payload)});
            if (event->kind == Kind::fault) return seen;
        }
        CHECK(piece.empty());
    }
    return seen;
}

Seen message(std::string payload, bool binary = false) {
    return {Kind::message, binary, 0, std::move(payload)};
}

}  // namespace

TEST_CASE("frames are the same however they are split") {
    const std::string large(70'000, 'l');
    const std::string bytes = client_frame(1, "one") + client_frame(2, std::string(200, 'b')) +
                              client_frame(9, "ping") + client_frame(1, "fragm", false) +
                              client_frame(10, "pong") + client_frame(0, "", false) +
                              client_frame(0, "ents", true) + client_frame(1, "") +
                              client_frame(1, large) + client_frame(8, "\x03\xe8why");
    const std::vector<Seen> expected = {message("one"),
                                        message(std::string(200, 'b'), true),
                                        {Kind::ping, false, 0, "ping"},
                                        {Kind::pong, false, 0, "pong"},
                                        message("fragments"),
                                        message(""),
                                        message(large),
                                        {Kind::close, false, 1000, "why"}};
    for (const std::size_t step : {std::size_t{1}, std::size_t{2}, std::size_t{3}, std::size_t{7},
                                   std::size_t{1000}, bytes.size()})
        CHECK(read(bytes, step) == expected);
}

TEST_CASE("a message may be as long as the limit, in one frame or several, and no longer") {
    CHECK(read(client_frame(1, std::string(1000, 'x')), 5000, 1000).size() == 1);
    const Seen too_big{Kind::fault, false, 1009, ""};
    // By what the header announces: nothing of it need have come.
    CHECK(read(client_frame(1, std::string(1001, 'x')).substr(0, 8), 5000, 1000).back() == too_big);
    const std::string half = client_frame(1, std::string(501, 'x'), false);
    CHECK(read(half + client_frame(0, std::string(499, 'x')), 5000, 1000).size() == 1);
    CHECK(read(half + client_frame(0, std::string(500, 'x')), 5000, 1000).back() == too_big);
}

TEST_CASE("lengths that are not in their shortest form, or too long to be true, are refused") {
    const std::string mask(4, '\0');
    const Seen breach{Kind::fault, false, 1002, ""};
    const auto with_length = [&](std::string length) { return "\x81" + length + mask; };
    CHECK(read(with_length(std::string("\xfe\x00\x7d", 3)), 100).back() == breach);
    CHECK(read(with_length(std::string("\xff\0\0\0\0\0\0\xff\xff", 9)), 100).back() == breach);
    CHECK(read(with_length("\xff\x80" + std::string(7, '\0')), 100).back() == breach);
    CHECK(read(with_length(std::string("\xfe\x00\x7e", 3)) + std::string(126, 'x'), 100).back() ==
          message(std::string(126, 'x')));
}

TEST_CASE("after a fault nothing is read any more") {
    FrameReader reader(kLimit, false);
    std::string bytes = client_frame(3, "reserved") + client_frame(1, "late");
    std::span<char> input(bytes);
    for (int i = 0; i < 3; ++i) CHECK(reader.next(input)->kind == Kind::fault);
}

TEST_CASE("a close frame has no status, or one that may be sent") {
    const auto code_of = [](std::string payload) {
        const Seen seen = read(client_frame(8, payload), 100).back();
        return std::pair(seen.kind, seen.code);
    };
    CHECK(code_of("") == std::pair(Kind::close, std::uint16_t{1005}));
    CHECK(code_of("\x0f\xa0") == std::pair(Kind::close, std::uint16_t{4000}));
    for (const char* bad : {"\x03", "\x03\xed", "\x03\xee", "\x03\xf7", "\x13\x88"})
        CHECK(code_of(bad) == std::pair(Kind::fault, std::uint16_t{1002}));
}

TEST_CASE("a message inflates up to the limit; what is broken or would be more is told apart") {
    Inflater inflater;
    const std::string hello("\xf2\x48\xcd\xc9\xc9\x07\x00", 7);  // RFC 7692 section 7.2.3.1
    CHECK(inflater.inflate(hello, 5).message == "Hello");
    CHECK(inflater.inflate(hello, 4).status == Inflater::Status::too_large);
    // In a last block, as section 7.2.3.4 has it.
    CHECK(inflater.inflate(std::string("\xf3\x48\xcd\xc9\xc9\x07\x00\x00", 8), 100).message == "Hello");
    CHECK(inflater.inflate(std::string(20, '\xff'), 100).status == Inflater::Status::broken);
    CHECK(inflater.inflate(hello, 100).message == "Hello");
    CHECK(inflater.inflate("", 100).status == Inflater::Status::done);
}
