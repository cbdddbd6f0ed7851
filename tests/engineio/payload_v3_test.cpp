#include "core/engineio/payload_v3.hpp"

#include <doctest/doctest.h>

#include <random>
#include <string>
#include <vector>

#include "core/engineio/session.hpp"

using namespace moonwire;
using namespace moonwire::engineio;

namespace {

using Packets = std::vector<std::string>;

/// "type:data" of every packet; "!" where the reader gave up.
template <typename Reader>
Packets read_all(Reader reader) {
    Packets packets;
    while (!reader.done()) {
        const auto packet = reader.next();
        if (!packet) {
            packets.push_back("!");
            return packets;
        }
        packets.push_back(std::string(1, static_cast<char>(packet->type)) +
                          (packet->binary ? "b:" : ":") + std::string(packet->data));
    }
    return packets;
}

Packets read_text(std::string_view body) { return read_all(v3::PayloadReader(body)); }
Packets read_binary(std::string_view body) { return read_all(v3::BinaryPayloadReader(body)); }

/// Bytes with zeros among them.
std::string bytes(std::initializer_list<int> values) {
    std::string made;
    for (const int value : values) made += static_cast<char>(value);
    return made;
}

}  // namespace

TEST_CASE("a v3 payload's lengths count UTF-16 code units") {
    CHECK(read_text("6:4hello2:4\u20ac") == Packets{"4:hello", "4:\u20ac"});
    CHECK(read_text("3:4\U0001f600"
                    "1:2") == Packets{"4:\U0001f600", "2:"});
    CHECK(read_text("6:2probe1:5") == Packets{"2:probe", "5:"});
}

TEST_CASE("a v3 text payload carries binary in base64, marked with b and the type") {
    CHECK(read_text("10:b4AQIDBA==1:3") == Packets{"4b:\x01\x02\x03\x04", "3:"});
    CHECK(read_text("2:b4") == Packets{"4b:"});
    CHECK(read_text("1:b") == Packets{"!"});
    CHECK(read_text("4:b4*A") == Packets{"!"});
}

TEST_CASE("a v3 packet without characters is passed over") {
    CHECK(read_text("0:") == Packets{"6:"});
    CHECK(read_text("0:2:4a") == Packets{"6:", "4:a"});
}

TEST_CASE("a v3 payload with a bad length is malformed, and what came before it was read") {
    CHECK(read_text("") == Packets{"!"});
    CHECK(read_text("5") == Packets{"!"});
    CHECK(read_text(":4a") == Packets{"!"});
    CHECK(read_text("x:4a") == Packets{"!"});
    CHECK(read_text("-1:4a") == Packets{"!"});
    CHECK(read_text(" 2:4a") == Packets{"!"});
    CHECK(read_text("2.0:4a") == Packets{"!"});
    CHECK(read_text("3:4a") == Packets{"!"});                               // truncated
    CHECK(read_text("2:4a2") == Packets{"4:a", "!"});                       // a length cut off
    CHECK(read_text("2:4a99999999999999999999:4") == Packets{"4:a", "!"});  // overlong
    CHECK(read_text("4294967298:4a") == Packets{"!"});                      // 2 modulo 2^32
    CHECK(read_text("2:7a") == Packets{"!"});                               // an unknown type
}

TEST_CASE("a v3 length that ends within a surrogate pair or a character is malformed") {
    CHECK(read_text("2:4\U0001f600") == Packets{"!"});
    CHECK(read_text("2:4\xe2\x82") == Packets{"!"});
    CHECK(read_text("2:4\xe2(\xac") == Packets{"!"});
    CHECK(read_text("2:4\xff") == Packets{"!"});
    CHECK(read_text("2:4\x80") == Packets{"!"});
}

TEST_CASE("a binary v3 payload mixes text and bytes, their lengths in bytes") {
    CHECK(read_binary(bytes({0, 4, 255}) + "4\u20ac" + bytes({1, 3, 255, 4, 0, 255})) ==
          Packets{"4:\u20ac", "4b:" + bytes({0, 255})});
    CHECK(read_binary(bytes({0, 1, 2, 255}) + "4hello world") == Packets{"4:hello world"});
    CHECK(read_binary("").empty());
}

TEST_CASE("a malformed binary v3 payload is found") {
    CHECK(read_binary(bytes({0})) == Packets{"!"});
    CHECK(read_binary(bytes({0, 255})) == Packets{"!"});     // no length
    CHECK(read_binary(bytes({0, 0, 255})) == Packets{"!"});  // no packet
    CHECK(read_binary(bytes({1, 0, 255})) == Packets{"!"});
    CHECK(read_binary(bytes({0, 3, 255, '4', 'a'})) == Packets{"!"});  // truncated
    CHECK(read_binary(bytes({0, 10, 255, '4'})) == Packets{"!"});      // 10 is no digit
    CHECK(read_binary(bytes({2, 1, 255, '4'})) == Packets{"!"});       // neither text nor bytes
    CHECK(read_binary(bytes({1, 2, 255, 7, 0})) == Packets{"!"});      // an unknown type
    CHECK(read_binary(bytes({0, 1, 2})) == Packets{"!"});
    CHECK(read_binary(bytes({0}) + std::string(400, '\x09')) == Packets{"!"});
    CHECK(read_binary(bytes({0}) + std::string(10, '\x09') + bytes({255})) == Packets{"!"});
}

TEST_CASE("v3 payloads are written in the form that their packets and the client need") {
    const std::vector<Frame> text{text_message("\u20ac\U0001f600"), text_message("a")};
    CHECK(v3::encode_payload(text) ==
          "4:4\u20ac\U0001f600"
          "2:4a");
    CHECK(v3::encode_payload({}) == "0:");
    CHECK(!v3::has_binary(text));
    const std::vector<Frame> mixed{text_message("\u20ac"), binary_message(bytes({0, 255}))};
    CHECK(v3::has_binary(mixed));
    CHECK(v3::encode_payload(mixed) ==
          "2:4\u20ac"
          "6:b4AP8=");
    CHECK(v3::encode_binary_payload(mixed) ==
          bytes({0, 4, 255}) + "4\u20ac" + bytes({1, 3, 255, 4, 0, 255}));
}

TEST_CASE("whatever is written as a v3 payload is read back, in both forms") {
    std::mt19937 random(7);
    const std::string characters[] = {"a",      ":",      "9",          "\u00e9",
                                      "\u20ac", "\u2028", "\U0001f600", "b"};
    for (int round = 0; round < 300; ++round) {
        std::vector<Frame> frames;
        Packets expected;
        for (std::size_t i = 0, count = 1 + random() % 5; i < count; ++i) {
            std::string content;
            const bool binary = random() % 2;
            for (std::size_t k = random() % 40; k > 0; --k)
                content += binary ? bytes({static_cast<int>(random() % 256)})
                                  : characters[random() % std::size(characters)];
            frames.push_back(binary ? binary_message(content) : text_message(content));
            expected.push_back((binary ? "4b:" : "4:") + content);
        }
        CHECK(read_text(v3::encode_payload(frames)) == expected);
        CHECK(read_binary(v3::encode_binary_payload(frames)) == expected);
    }
}
