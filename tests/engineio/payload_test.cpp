#include "core/engineio/payload.hpp"

#include <doctest/doctest.h>

#include <string>
#include <vector>

#include "core/engineio/session.hpp"

using namespace moonwire;
using namespace moonwire::engineio;

namespace {

/// "type:data" of every packet; "!" where the reader gave up.
std::vector<std::string> read_all(std::string_view body) {
    std::vector<std::string> packets;
    PayloadReader reader(body);
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

}  // namespace

TEST_CASE("a payload is split at record separators, binary decoded from base64") {
    CHECK(read_all("4hello\x1e" "bAQIDBA==\x1e" "2probe") ==
          std::vector<std::string>{"4:hello", "4b:\x01\x02\x03\x04", "2:probe"});
    CHECK(read_all("4") == std::vector<std::string>{"4:"});
}

TEST_CASE("a malformed packet in a payload is found, and what came before it was read") {
    CHECK(read_all("4ok\x1e" "abc") == std::vector<std::string>{"4:ok", "!"});
    CHECK(read_all("") == std::vector<std::string>{"!"});
    CHECK(read_all("4a\x1e") == std::vector<std::string>{"4:a", "!"});
    CHECK(read_all("7") == std::vector<std::string>{"!"});
    CHECK(read_all("b*") == std::vector<std::string>{"!"});
    CHECK(read_all("bA") == std::vector<std::string>{"!"});
}

TEST_CASE("base64 survives a round trip at every length, with and without padding") {
    std::string bytes;
    for (int length = 0; length < 70; ++length) {
        std::string text;
        append_base64(text, bytes);
        CHECK(text.size() % 4 == 0);
        CHECK(decode_base64(text) == bytes);
        while (text.ends_with('=')) text.pop_back();
        CHECK(decode_base64(text) == bytes);
        bytes += static_cast<char>(length * 37 + 200);
    }
    CHECK_FALSE(decode_base64("AB=C"));
    CHECK_FALSE(decode_base64("A\n=="));
    CHECK(decode_base64("QU\r\nJD\n") == "ABC");  // as Java clients write it
}

TEST_CASE("frames join into a payload as the reader reads them") {
    std::string body;
    append_to_payload(body, text_message("[\"a\"]"));
    append_to_payload(body, binary_message(std::string_view("\x00\xff", 2)));
    CHECK(body == "4[\"a\"]\x1e" "bAP8=");
}
