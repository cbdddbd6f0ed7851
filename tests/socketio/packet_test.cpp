#include "core/socketio/packet.hpp"

#include <doctest/doctest.h>

#include <limits>
#include <string>

using namespace moonwire;
using namespace moonwire::socketio;

namespace {

std::string why(std::string_view text) {
    const auto packet = decode_packet(text, 10);
    return packet ? "accepted" : packet.error().message;
}

}  // namespace

TEST_CASE("packets decode into type, namespace, id, attachments and data") {
    const auto event = decode_packet("2/chat,12[\"a\",1]", 10);
    REQUIRE(event);
    CHECK(event->type == PacketType::event);
    CHECK(event->nsp == "/chat");
    CHECK(event->id == 12);
    CHECK(event->data == "[\"a\",1]");

    const auto binary = decode_packet("52-/x,7[\"b\",{\"_placeholder\":true,\"num\":0}]", 10);
    REQUIRE(binary);
    CHECK(binary->type == PacketType::binary_event);
    CHECK(binary->attachments == 2);
    CHECK(binary->nsp == "/x");
    CHECK(binary->id == 7);

    CHECK(decode_packet("0", 10)->nsp == "/");
    CHECK(decode_packet("0{\"t\":1}", 10)->data == "{\"t\":1}");
    CHECK(decode_packet("0/random", 10)->nsp == "/random");
    CHECK(decode_packet("0/a?token=1,", 10)->nsp == "/a");
    CHECK(decode_packet("1/chat,", 10)->type == PacketType::disconnect);
    CHECK(decode_packet("35[]", 10)->id == 5);
    CHECK(decode_packet("218446744073709551615[\"a\"]", 10)->id ==
          std::numeric_limits<std::uint64_t>::max());
}

TEST_CASE("what breaks the protocol is refused with a reason") {
    CHECK(why("") == "unknown packet type");
    CHECK(why("abc") == "unknown packet type");
    CHECK(why("7[]") == "unknown packet type");
    CHECK(why("2{}") == "EVENT payload is not an array");
    CHECK(why("2") == "EVENT payload is not an array");
    CHECK(why("2abc[\"m\"]") == "EVENT payload is not an array");
    CHECK(why("0[]") == "CONNECT payload is not an object");
    CHECK(why("1{}") == "DISCONNECT with a payload");
    CHECK(why("3[]") == "ACK without an id");
    CHECK(why("31{}") == "ACK payload is not an array");
    CHECK(why("4{}") == "CONNECT_ERROR from a client");
    CHECK(why("5[\"a\"]") == "malformed attachment count");
    CHECK(why("51[\"a\"]") == "malformed attachment count");
    CHECK(why("511-[\"a\"]") == "too many attachments: 11, the limit is 10");
    CHECK(why("599999999999999999999-[\"a\"]") == "malformed attachment count");
    CHECK(why("299999999999999999999[\"a\"]") == "acknowledgement id out of range");
}

TEST_CASE("an event's name is its first element, a string or a number") {
    CHECK(*event_name("[\"hello\",1]") == "hello");
    CHECK(*event_name("[\"a\\u0062\\\"\"]") == "ab\"");
    CHECK(*event_name("[ \"spaced\" ]") == "spaced");
    CHECK(*event_name("[42,{}]") == "42");
    CHECK(*event_name("[\"\"]") == "");
    CHECK_FALSE(event_name("[]"));
    CHECK_FALSE(event_name("[{}]"));
    CHECK_FALSE(event_name("[[\"a\"]]"));
    CHECK_FALSE(event_name("[null]"));
    CHECK_FALSE(event_name("[\"unterminated"));
    CHECK_FALSE(event_name("[\"bad\\x\"]"));
    CHECK_FALSE(event_name("[\"\xff\\n\"]"));
}

TEST_CASE("reserved event names are refused") {
    for (const char* name : {"connect", "connect_error", "disconnect", "disconnecting",
                             "newListener", "removeListener"}) {
        CHECK(is_reserved_event(name));
        CHECK(event_name("[\"" + std::string(name) + "\"]").error().message ==
              "reserved event name " + std::string(name));
    }
    CHECK_FALSE(event_name("[\"c\\u006fnnect\"]"));
    CHECK_FALSE(is_reserved_event("connection"));
}

TEST_CASE("headers are written as they are read") {
    CHECK(packet_header(PacketType::connect, "/") == "0");
    CHECK(packet_header(PacketType::event, "/chat", 12) == "2/chat,12");
    CHECK(packet_header(PacketType::binary_ack, "/", 3, 2) == "62-3");
}
