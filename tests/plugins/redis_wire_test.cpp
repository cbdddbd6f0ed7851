#include <doctest/doctest.h>

#include <stdexcept>
#include <string>

#include "plugins/redis/wire.hpp"

using namespace moonwire::plugin;
using namespace moonwire::redis;
using Kind = Received::Kind;

namespace {

std::string bytes_of(std::string_view hex) {
    std::string bytes;
    for (std::size_t i = 0; i + 1 < hex.size(); i += 2)
        bytes += static_cast<char>(std::stoi(std::string(hex.substr(i, 2)), nullptr, 16));
    return bytes;
}

std::string hex_of(std::string_view bytes) {
    std::string hex;
    for (const unsigned char byte : bytes) {
        hex += "0123456789abcdef"[byte >> 4];
        hex += "0123456789abcdef"[byte & 15];
    }
    return hex;
}

using Texts = std::vector<std::string>;

ClusterMessage broadcast(std::string json, Texts rooms = {}, Texts except = {}) {
    ClusterBroadcast it;
    it.target = {std::move(rooms), std::move(except)};
    it.packet.json = std::move(json);
    return {"/", std::move(it)};
}

const Wire kNode("socket.io", "abcdef");
const Wire kOther("socket.io", "ghijkl");

/// What another node hears of it.
Received heard(const ClusterMessage& message) {
    const Publication sent = kNode.write(message);
    return kOther.read(sent.channel, sent.payload);
}

std::string problem_of(std::string_view channel, std::string_view payload) {
    try {
        kNode.read(channel, payload);
    } catch (const std::runtime_error& problem) {
        return problem.what();
    }
    return "none";
}

std::string request_problem(std::string_view payload) {
    return problem_of("socket.io-request#/#", payload);
}
std::string broadcast_problem(std::string_view hex) {
    return problem_of("socket.io#/#", bytes_of(hex));
}

template <typename What>
const What& as(const Received& received) {
    return std::get<What>(received.message.what);
}

// What notepack.io makes of [uid,packet,opts] in Node's packages.
constexpr std::string_view kFromNode =
    "93a661626364656683a47479706502a46461746197a16501fbcb3ff8000000000000a2c3bcc402010281a16192c0c3"
    "a36e7370a12f83a5726f6f6d7391a172a665786365707490a5666c61677380";
constexpr std::string_view kFromEmitter =
    "93a7656d697474657283a47479706502a46461746191a165a36e7370a52f6368617483a5726f6f6d7390a5666c6167"
    "7382a8766f6c6174696c65c3a8636f6d7072657373c2a665786365707492a178a179";
constexpr std::string_view kWithDates =
    "93a7656d697474657282a47479706502a46461746199a164d7ff1d5353006553f100c0d6ff6553f100c70cff1dcd65"
    "00fffffffffffffffecf0000010000000000d3ffffff0000000000cd012cce0001117082a5726f6f6d739101a66578"
    "6365707490";
constexpr std::string_view kEmitPacked =
    "83a3756964a6616263646566a47479706506a46461746192a46e6f7465c40107";

}  // namespace

TEST_CASE("a broadcast is what Node's adapter writes, byte for byte") {
    ClusterMessage message =
        broadcast(R"(["e",1,-5,1.5,"ü",{"_placeholder":true,"num":0},{"a":[null,true]}])", {"r"});
    std::get<ClusterBroadcast>(message.what).packet.attachments = {"\x01\x02"};
    const Publication sent = kNode.write(message);
    CHECK(sent.channel == "socket.io#/#r#");
    CHECK(hex_of(sent.payload) == kFromNode);
    CHECK(kNode.write(broadcast("[\"e\"]")).channel == "socket.io#/#");
    CHECK(kNode.write(broadcast("[\"e\"]", {"a", "b"})).channel == "socket.io#/#");
}

TEST_CASE("Node's broadcasts are read, binary values and all") {
    const Received received = kOther.read("socket.io#/#r#", bytes_of(kFromNode));
    CHECK(received.kind == Kind::broadcast);
    CHECK(received.message.nsp == "/");
    const auto& it = as<ClusterBroadcast>(received);
    CHECK(it.target.rooms == Texts{"r"});
    CHECK(it.target.except.empty());
    CHECK(it.compress);
    CHECK_FALSE(it.is_volatile);
    CHECK(it.packet.json ==
          R"(["e",1,-5,1.5,"ü",{"_placeholder":true,"num":0},{"a":[null,true]}])");
    CHECK(it.packet.attachments == Texts{"\x01\x02"});
}

TEST_CASE("the emitter's broadcasts are read, with their flags") {
    const Received received = kNode.read("socket.io#/chat#", bytes_of(kFromEmitter));
    CHECK(received.message.nsp == "/chat");
    const auto& it = as<ClusterBroadcast>(received);
    CHECK(it.is_volatile);
    CHECK_FALSE(it.compress);
    CHECK(it.target.except == Texts{"x", "y"});
}

TEST_CASE("dates, what is undefined, large numbers and a packet without a namespace") {
    const Received received = kNode.read("socket.io#/#1#", bytes_of(kWithDates));
    CHECK(received.message.nsp == "/");
    const auto& it = as<ClusterBroadcast>(received);
    CHECK(it.target.rooms == Texts{"1"});
    CHECK(it.packet.json ==
          R"(["d","2023-11-14T22:13:20.123Z",null,"2023-11-14T22:13:20.000Z",)"
          R"("1969-12-31T23:59:58.500Z",1099511627776,-1099511627776,300,70000])");
}

TEST_CASE("what this node said itself is known again, of whatever kind") {
    const Texts room{"r"};
    const Values binary{R"(["e",{"_placeholder":true,"num":0}])", {"x"}};
    const ClusterMessage all[] = {broadcast("[\"e\"]"),
                                  {"/", ClusterJoin{{room, {}}, room}},
                                  {"/", ClusterLeave{{room, {}}, room}},
                                  {"/", ClusterDisconnect{}},
                                  {"/", ClusterServerEmit{{"[\"e\"]"}}},
                                  {"/", ClusterServerEmit{binary}}};
    for (const ClusterMessage& each : all) {
        const Publication sent = kNode.write(each);
        CHECK(kNode.read(sent.channel, sent.payload).kind == Kind::own);
        CHECK(kOther.read(sent.channel, sent.payload).kind != Kind::own);
    }
}

TEST_CASE("requests are what Node's adapter writes") {
    const ClusterTarget target{{"a"}, {"b"}};
    const Publication join = kNode.write({"/x", ClusterJoin{target, {"r", "s"}}});
    CHECK(join.channel == "socket.io-request#/x#");
    CHECK(join.payload ==
          R"({"uid":"abcdef","type":2,"opts":{"rooms":["a"],"except":["b"]},"rooms":["r","s"]})");
    CHECK(kNode.write({"/", ClusterLeave{target, {"r"}}}).payload ==
          R"({"uid":"abcdef","type":3,"opts":{"rooms":["a"],"except":["b"]},"rooms":["r"]})");
    CHECK(kNode.write({"/", ClusterDisconnect{target, true}}).payload ==
          R"({"uid":"abcdef","type":4,"opts":{"rooms":["a"],"except":["b"]},"close":true})");
    CHECK(kNode.write({"/", ClusterServerEmit{{R"(["e",{"a":1.0}])"}}}).payload ==
          R"({"uid":"abcdef","type":6,"data":["e",{"a":1.0}]})");
    CHECK(hex_of(kNode
                     .write({"/", ClusterServerEmit{{R"(["note",{"_placeholder":true,"num":0}])",
                                                     {"\x07"}}}})
                     .payload) == kEmitPacked);
}

TEST_CASE("every kind arrives as it was") {
    const Received join = heard({"/x", ClusterJoin{{{"a"}, {"b"}}, {"r", "s"}}});
    CHECK(join.kind == Kind::join);
    CHECK(join.message.nsp == "/x");
    CHECK(as<ClusterJoin>(join).target.rooms == Texts{"a"});
    CHECK(as<ClusterJoin>(join).target.except == Texts{"b"});
    CHECK(as<ClusterJoin>(join).rooms == Texts{"r", "s"});
    const Received leave = heard({"/tenant/:name", ClusterLeave{{}, {"r"}}});
    CHECK(leave.message.nsp == "/tenant/:name");
    CHECK(as<ClusterLeave>(leave).rooms == Texts{"r"});
    CHECK(as<ClusterDisconnect>(heard({"/", ClusterDisconnect{{}, true}})).close);
    CHECK_FALSE(as<ClusterDisconnect>(heard({"/", ClusterDisconnect{}})).close);
    CHECK(as<ClusterServerEmit>(heard({"/", ClusterServerEmit{{R"(["e",1.5])"}}})).packet.json ==
          R"(["e",1.5])");
    const Values binary{R"(["e",{"_placeholder":true,"num":0}])", {"x"}};
    const auto emit = heard({"/", ClusterServerEmit{binary}});
    CHECK(as<ClusterServerEmit>(emit).packet.attachments == Texts{"x"});
    ClusterMessage loud = broadcast("[\"e\"]", {"with#hash"});
    std::get<ClusterBroadcast>(loud.what).is_volatile = true;
    std::get<ClusterBroadcast>(loud.what).compress = false;
    const Received received = heard(loud);
    CHECK(as<ClusterBroadcast>(received).is_volatile);
    CHECK_FALSE(as<ClusterBroadcast>(received).compress);
    CHECK(as<ClusterBroadcast>(received).target.rooms == Texts{"with#hash"});
}

TEST_CASE("the emitter's requests have no uid, or its own") {
    CHECK(kNode
              .read("socket.io-request#/#",
                    R"({"type":2,"opts":{"rooms":[],"except":[]},"rooms":["r"]})")
              .kind == Kind::join);
    CHECK(kNode.read("socket.io-request#/#", R"({"uid":"emitter","type":6,"data":["e"]})").kind ==
          Kind::server_emit);
}

TEST_CASE("what asks for answers is known, and nothing else of it") {
    for (const char* type : {"0", "1", "5", "7"})
        CHECK(kNode
                  .read("socket.io-request#/#",
                        std::string(R"({"uid":"x","requestId":"y","type":)") + type + "}")
                  .kind == Kind::question);
    CHECK(kNode.read("socket.io-request#/#", R"({"type":2,"sid":"x","room":"y"})").kind ==
          Kind::question);
    CHECK(kNode.read("socket.io-request#/#", R"({"uid":"x","requestId":"y","type":6,"data":["e"]})")
              .kind == Kind::server_emit);
}

TEST_CASE("namespaces may be called otherwise in Redis") {
    const Wire wire("k", "abcdef", {{"/", "/orders"}});
    ClusterMessage message = broadcast("[\"e\"]");
    message.nsp = "/orders";
    const Publication sent = wire.write(message);
    CHECK(sent.channel == "k#/#");
    const Wire other("k", "ghijkl", {{"/", "/orders"}});
    CHECK(other.read(sent.channel, sent.payload).message.nsp == "/orders");
    CHECK(Wire("k", "ghijkl").read(sent.channel, sent.payload).message.nsp == "/");
    CHECK(other.read("k-request#/#", R"({"type":6,"data":["e"]})").message.nsp == "/orders");
    CHECK(other.read("k-request#/x#", R"({"type":6,"data":["e"]})").message.nsp == "/x");
}

TEST_CASE("patterns escape what a key has of them") {
    CHECK(kNode.broadcast_pattern() == "socket.io#/*");
    CHECK(kNode.request_pattern() == "socket.io-request#/*");
    CHECK(Wire("a*[b]?\\", "x").broadcast_pattern() == R"(a\*\[b\]\?\\#/*)");
}

TEST_CASE("JSON that can't be said is refused") {
    CHECK_THROWS_WITH(kNode.write(broadcast("[\"e\",")), "malformed JSON");
    std::string deep = "[\"e\",";
    for (int i = 0; i < 200; ++i) deep += '[';
    for (int i = 0; i < 200; ++i) deep += ']';
    CHECK_THROWS_WITH(kNode.write(broadcast(deep + "]")), "nested too deeply");
}

TEST_CASE("a placeholder without its attachment is a table like any other") {
    const Received received = heard(broadcast(R"(["e",{"_placeholder":true,"num":3}])"));
    CHECK(as<ClusterBroadcast>(received).packet.json == R"(["e",{"_placeholder":true,"num":3}])");
}

TEST_CASE("requests that are none are refused") {
    CHECK(request_problem("{") == "malformed JSON");
    CHECK(request_problem("") == "not msgpack");
    CHECK(request_problem("{}") == "a request without a type");
    CHECK(request_problem(R"({"type":"2"})") == "a request without a type");
    CHECK(request_problem(R"({"type":-1})") == "a request without a type");
    CHECK(request_problem(R"({"type":99})") == "a request of unknown type 99");
    CHECK(request_problem(R"({"type":6})") == "\"data\" is no event");
    CHECK(request_problem(R"({"type":6,"data":[]})") == "\"data\" is no event");
    CHECK(request_problem(R"({"type":6,"data":[1]})") == "\"data\" is no event");
    CHECK(request_problem(R"({"type":2,"opts":1})") == "\"opts\" is no table");
    CHECK(request_problem(R"({"type":2,"opts":{"rooms":1}})") == "\"rooms\" is no list");
    CHECK(request_problem(R"({"type":2,"opts":{"except":[{}]}})") ==
          "\"except\" has what is no room");
    CHECK(request_problem(R"({"type":2,"opts":{},"rooms":[null]})") ==
          "\"rooms\" has what is no room");
    CHECK(request_problem("{\"type\":6,\"data\":[\"\xff\"]}") == "malformed JSON");
    CHECK(request_problem("\x93\x01\x02\x03") == "no request");
    const std::string deep(100'000, '[');
    CHECK(request_problem(R"({"type":6,"data":)" + deep) == "nested too deeply");
    CHECK(request_problem(std::string(100'000, '\x91') + '\x01') == "nested too deeply");
}

TEST_CASE("broadcasts that are none are refused") {
    CHECK(broadcast_problem("") == "not msgpack");
    CHECK(broadcast_problem("c1") == "not msgpack");
    CHECK(broadcast_problem("ddffffffff") == "not msgpack");
    CHECK(broadcast_problem("dfffffffff") == "not msgpack");
    CHECK(broadcast_problem("c6ffffffff00") == "not msgpack");
    CHECK(broadcast_problem("01ff") == "not msgpack");
    CHECK(broadcast_problem("01") == "no broadcast");
    CHECK(broadcast_problem("93010203") == "no broadcast");
    CHECK(broadcast_problem("9301808080") == "not msgpack");
    CHECK(broadcast_problem("93018080") == "a packet that is no event");
    CHECK(broadcast_problem("930181a47479706500"
                            "80") == "a packet that is no event");
    CHECK(broadcast_problem("930181a47479706502"
                            "80") == "\"data\" is no event");
    CHECK(broadcast_problem("930182a47479706502a36e737001"
                            "80") == "another namespace than its channel's");
    CHECK(broadcast_problem("9301810180") == "not msgpack");
    CHECK(broadcast_problem("930181010180") == "a key that is no text");
    CHECK(broadcast_problem("9301a2ff8080") == "malformed JSON");
    CHECK(broadcast_problem("93a1ff8080") == "malformed JSON");
    CHECK(broadcast_problem("93a1f18080") == "malformed JSON");
    CHECK(broadcast_problem("93c7030501020380"
                            "80") == "an unknown extension");
    CHECK(problem_of("socket.io#/#", bytes_of(kFromEmitter)) ==
          "another namespace than its channel's");
    CHECK(problem_of("elsewhere", "x") == "an unknown channel");
    CHECK(problem_of("socket.io-request#", "{}") == "an unknown channel");
}

TEST_CASE("no message, cut anywhere or with any byte changed, does harm") {
    for (const std::string_view hex : {kFromNode, kFromEmitter, kWithDates, kEmitPacked}) {
        const std::string whole = bytes_of(hex);
        for (const char* channel : {"socket.io#/#", "socket.io-request#/#"}) {
            for (std::size_t size = 0; size < whole.size(); ++size)
                CHECK(problem_of(channel, whole.substr(0, size)) != "none");
            for (std::size_t at = 0; at < whole.size(); ++at) {
                for (int byte = 0; byte < 256; ++byte) {
                    std::string other = whole;
                    other[at] = static_cast<char>(byte);
                    problem_of(channel, other);
                }
            }
        }
    }
}

TEST_CASE("a uid is six letters and digits, another each time") {
    CHECK(new_uid().size() == 6);
    CHECK(new_uid() != new_uid());
}
