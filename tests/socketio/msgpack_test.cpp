#include "core/socketio/msgpack.hpp"

#include <random>

#include "tests/socketio/fixture.hpp"

using namespace moonwire;
using namespace moonwire::socketio;

namespace {

std::string bytes(std::initializer_list<int> list) {
    std::string made;
    for (int byte : list) made += static_cast<char>(byte);
    return made;
}

std::string encode(PacketType type, std::string_view nsp, std::optional<AckId> id,
                   std::string_view json, std::span<const SharedBytes> attachments = {}) {
    return msgpack_header(type, nsp, id, true) + *msgpack_body({json, attachments});
}

/// `{type: 2, nsp: "/", data: <value>}` around one value's bytes, as the argument of "e".
std::string event_with(const std::string& value) {
    return msgpack_header(PacketType::event, "/", {}, true) + bytes({0x92, 0xa1, 'e'}) + value;
}

std::string json_of(const std::string& message) {
    const auto decoded = decode_msgpack(message, 10);
    return decoded ? std::string((*decoded)->packet.data) : "error: " + decoded.error().message;
}

/// Random JSON without placeholders, as our encoder writes it.
std::string random_json(std::mt19937& random, std::vector<SharedBytes>& attachments, int depth) {
    const auto below = [&](unsigned n) { return static_cast<unsigned>(random() % n); };
    switch (depth > 4 ? below(6) : below(8)) {
        case 0: return "null";
        case 1: return below(2) ? "true" : "false";
        case 2: return std::to_string(static_cast<std::int64_t>(random()) - (1 << 30));
        case 3: return "0.5";
        case 4: return "\"" + std::string(below(300), static_cast<char>('a' + below(26))) + "\"";
        case 5: {
            attachments.push_back(SharedBytes::copy(std::string(below(70'000), '\xff')));
            return "{\"_placeholder\":true,\"num\":" + std::to_string(attachments.size() - 1) + "}";
        }
        case 6: {
            std::string array = "[";
            for (unsigned i = 0, n = below(20); i < n; ++i)
                array += (i ? "," : "") + random_json(random, attachments, depth + 1);
            return array + "]";
        }
        default: {
            std::string object = "{";
            for (unsigned i = 0, n = below(18); i < n; ++i)
                object += (i ? ",\"k" : "\"k") + std::to_string(i) +
                          "\":" + random_json(random, attachments, depth + 1);
            return object + "}";
        }
    }
}

}  // namespace

TEST_CASE("what msgpack carries comes back as it went") {
    std::mt19937 random(20261121);
    for (int round = 0; round < 300; ++round) {
        std::vector<SharedBytes> attachments;
        const std::string json = "[\"e\"," + random_json(random, attachments, 0) + "]";
        const auto decoded =
            decode_msgpack(encode(PacketType::event, "/n", 7, json, attachments), 10'000);
        REQUIRE(decoded);
        const MsgpackPacket& packet = **decoded;
        CHECK(packet.packet.type == PacketType::event);
        CHECK(packet.packet.nsp == "/n");
        CHECK(packet.packet.id == 7u);
        REQUIRE(packet.packet.data == json);
        REQUIRE(packet.attachments.size() == attachments.size());
        for (std::size_t i = 0; i < attachments.size(); ++i)
            REQUIRE(packet.attachments[i].view() == attachments[i].view());
    }
}

TEST_CASE("numbers keep their value at every width") {
    for (const std::string number :
         {"0", "127", "128", "65536", "4294967296", "18446744073709551615", "-1", "-33", "-129",
          "-9223372036854775808", "0.1", "-2.5e-08", "1e+300"})
        CHECK(json_of(encode(PacketType::event, "/", {}, "[\"e\"," + number + "]")) ==
              "[\"e\"," + number + "]");
}

TEST_CASE("what JavaScript has and JSON has not is written as JSON.stringify would") {
    CHECK(json_of(event_with(bytes({0xd4, 0, 0}))) == "[\"e\",null]");  // undefined
    CHECK(json_of(event_with(bytes({0xcb, 0x7f, 0xf8, 0, 0, 0, 0, 0, 0}))) == "[\"e\",null]");  // NaN
    // Dates: notepack's old form, timestamps 32, 64 and 96.
    CHECK(json_of(event_with(bytes({0xd7, 0, 0, 0, 0, 0, 0, 0, 0x03, 0xe9}))) ==
          "[\"e\",\"1970-01-01T00:00:01.001Z\"]");
    CHECK(json_of(event_with(bytes({0xd6, 0xff, 0, 0, 0, 2}))) ==
          "[\"e\",\"1970-01-01T00:00:02.000Z\"]");
    CHECK(json_of(event_with(bytes({0xc7, 12, 0xff, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 3}))) ==
          "[\"e\",\"1970-01-01T00:00:03.000Z\"]");
    CHECK(json_of(event_with(bytes({0xd4, 5, 0}))) == "error: unknown extension type 5");
}

TEST_CASE("other keys of a packet are ignored, and DISCONNECT has no data") {
    // {type: 1, nsp: "/", options: {compress: true}, data: undefined}
    const std::string message = bytes({0x84, 0xa4}) + "type" + bytes({1, 0xa3}) + "nsp" +
                                bytes({0xa1, '/', 0xa7}) + "options" + bytes({0x81, 0xa8}) +
                                "compress" + bytes({0xc3, 0xa4}) + "data" + bytes({0xd4, 0, 0});
    const auto decoded = decode_msgpack(message, 10);
    REQUIRE(decoded);
    CHECK((*decoded)->packet.type == PacketType::disconnect);
    CHECK((*decoded)->packet.data.empty());
}

TEST_CASE("malformed messages are errors that say what is wrong") {
    CHECK_FALSE(decode_msgpack("", 10));
    CHECK_FALSE(decode_msgpack("text", 10));
    CHECK_FALSE(decode_msgpack(bytes({0x80}), 10));
    const std::string whole = encode(PacketType::event, "/", 1, R"(["e",{"a":[1,2.5,"x"]}])");
    for (std::size_t size = 0; size < whole.size(); ++size)
        CHECK_FALSE(decode_msgpack(whole.substr(0, size), 10));
    CHECK_FALSE(decode_msgpack(whole + "x", 10));
    CHECK_FALSE(decode_msgpack(encode(PacketType::event, "x", 1, "[]"), 10));
    CHECK_FALSE(decode_msgpack(encode(PacketType::event, "/", 1, "{}"), 10));
    CHECK_FALSE(decode_msgpack(encode(PacketType::ack, "/", {}, "[]"), 10));
    CHECK_FALSE(decode_msgpack(encode(PacketType::connect_error, "/", {}, "[]"), 10));
    CHECK_FALSE(decode_msgpack(event_with("\xc1"), 10));
    CHECK_FALSE(decode_msgpack(bytes({0x82, 0xdd, 0xff, 0xff, 0xff, 0xff, 0}), 10));  // 2^32 - 1 values
    CHECK_FALSE(decode_msgpack(bytes({0x81, 0xa1, 'x', 0xdf, 0x80, 0, 0, 0}), 10));
    CHECK(json_of(event_with(std::string(200, '\x91') + '\x90')) == "error: nested too deeply");
    std::string many = bytes({0x9b});
    for (int i = 0; i < 11; ++i) many += bytes({0xc4, 0});
    CHECK(json_of(event_with(many)) == "error: too many attachments, the limit is 10");
    CHECK_FALSE(msgpack_body({"[1", {}}));
}

TEST_CASE("a msgpack server speaks binary messages with all its clients") {
    ServerOptions options;
    options.nsp.format = Format::msgpack;
    Fixture fixture(options);
    REQUIRE(fixture.server.add_alias("/alias", "/"));
    const auto session = fixture.open();
    session->receive_binary(encode(PacketType::connect, "/", {}, R"({"token":"1"})"));
    CHECK(fixture.main->take() == Lines{R"(connecting {"token":"1"})", "connect"});
    const std::string id = fixture.main->last->id();
    CHECK(session->take() ==
          Lines{"b:" + encode(PacketType::connect, "/", {}, "{\"sid\":\"" + id + "\"}")});
    session->receive_binary(msgpack_header(PacketType::connect, "/alias", {}, false));
    session->take();

    const std::vector<SharedBytes> attachments = {SharedBytes::copy("\x01\x02")};
    session->receive_binary(encode(PacketType::event, "/", 5,
                                   R"(["echo",{"_placeholder":true,"num":0}])", attachments));
    CHECK(session->take() ==
          Lines{"b:" + encode(PacketType::ack, "/", 5, R"(["echo",{"_placeholder":true,"num":0}])",
                              attachments)});
    fixture.nsp("/").broadcast({}, {R"(["all",1])", {}}, {});
    auto sent = session->take();
    std::sort(sent.begin(), sent.end());
    Lines expected = {"b:" + encode(PacketType::event, "/", {}, R"(["all",1])"),
                      "b:" + encode(PacketType::event, "/alias", {}, R"(["all",1])")};
    std::sort(expected.begin(), expected.end());
    CHECK(sent == expected);

    session->receive("2[\"text\"]");
    CHECK(session->closed == engineio::CloseReason::parse_error);
}
