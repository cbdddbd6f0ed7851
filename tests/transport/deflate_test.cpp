#include <doctest/doctest.h>
#include <zlib.h>

#include <atomic>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "core/transport/deflate_offer.hpp"
#include "core/transport/deflater.hpp"
#include "core/transport/frame.hpp"
#include "tests/transport/client.hpp"
#include "tests/transport/test_server.hpp"

using namespace moonwire;
using namespace moonwire::test;
using transport::Deflater;
using transport::Flush;
using transport::Frame;
using transport::TransportStats;
using transport::WebSocket;
using transport::WebSocketEnd;

namespace {

const std::string kOffer =
    "Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits\r\n";

/// What a receiver does (RFC 7692 section 7.2.2).
std::string inflate(std::string message) {
    message += std::string("\x00\x00\xff\xff", 4);
    z_stream stream{};
    REQUIRE(inflateInit2(&stream, -15) == Z_OK);
    std::string out(16 << 20, '\0');
    stream.next_in = reinterpret_cast<Bytef*>(message.data());
    stream.avail_in = static_cast<uInt>(message.size());
    stream.next_out = reinterpret_cast<Bytef*>(out.data());
    stream.avail_out = static_cast<uInt>(out.size());
    CHECK(::inflate(&stream, Z_SYNC_FLUSH) == Z_OK);
    out.resize(stream.total_out);
    inflateEnd(&stream);
    return out;
}

/// What a sender does, of any size.
std::string deflate(const std::string& message) {
    z_stream stream{};
    REQUIRE(deflateInit2(&stream, 9, Z_DEFLATED, -15, 9, Z_DEFAULT_STRATEGY) == Z_OK);
    std::string out(compressBound(message.size()) + 64, '\0');
    stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(message.data()));
    stream.avail_in = static_cast<uInt>(message.size());
    stream.next_out = reinterpret_cast<Bytef*>(out.data());
    stream.avail_out = static_cast<uInt>(out.size());
    REQUIRE(::deflate(&stream, Z_SYNC_FLUSH) == Z_OK);
    out.resize(stream.total_out - 4);
    deflateEnd(&stream);
    return out;
}

/// A client's compressed message.
std::string compressed_frame(const std::string& message) {
    std::string frame = client_frame(1, deflate(message));
    frame[0] |= 0x40;
    return frame;
}

std::string answer_to(const std::string& offer) {
    transport::HttpRequest request;
    request.headers = {{"Sec-WebSocket-Extensions", offer}};
    return std::string(transport::accept_deflate(request));
}

std::string noise(std::size_t size) {
    std::string text(size, '\0');
    unsigned seed = 1;
    for (char& c : text) c = static_cast<char>((seed = seed * 1664525 + 1013904223) >> 24);
    return text;
}

struct Fixture {
    Fixture() {
        server.options.deflate = true;
        server.serve = recorder->acceptor();
    }
    /// A client whose handshake offers compression.
    std::unique_ptr<Client> connect(const std::string& offer = kOffer) {
        auto client = std::make_unique<Client>(server.port);
        answer = client->upgrade("/", offer);
        REQUIRE(answer.status == 101);
        REQUIRE(wait_until([&] { return recorder->open.load(); }));
        return client;
    }
    void send(Frame frame, bool compress = true) {
        server.server->reactor(0).post([this, frame = std::move(frame), compress] {
            recorder->socket.load()->send(frame, Flush::turn, compress);
        });
    }

    std::shared_ptr<Recorder> recorder = std::make_shared<Recorder>();
    TestServer server;
    ClientResponse answer;
};

}  // namespace

TEST_CASE("an offer of compression is accepted without context, or declined as RFC 7692 says") {
    const std::string accepted =
        "permessage-deflate; server_no_context_takeover; client_no_context_takeover";
    CHECK(answer_to("permessage-deflate") == accepted);
    CHECK(answer_to("permessage-deflate; client_max_window_bits") == accepted);
    CHECK(answer_to("permessage-deflate; client_max_window_bits=9") == accepted);
    CHECK(answer_to("PerMessage-Deflate; server_no_context_takeover; client_no_context_takeover") ==
          accepted);
    CHECK(answer_to("permessage-deflate; server_max_window_bits=15") ==
          accepted + "; server_max_window_bits=15");
    // The first offer that suits.
    CHECK(answer_to("x-webkit-deflate-frame, permessage-deflate; server_max_window_bits=10, "
                    "permessage-deflate") == accepted);
    for (const char* offer :
         {"", "x-webkit-deflate-frame", "permessage-deflate; server_max_window_bits=10",
          "permessage-deflate; server_max_window_bits",
          "permessage-deflate; server_max_window_bits=16",
          "permessage-deflate; client_max_window_bits=7",
          "permessage-deflate; client_max_window_bits=015",
          "permessage-deflate; server_no_context_takeover=1",
          "permessage-deflate; client_max_window_bits; client_max_window_bits",
          "permessage-deflate; unknown", ";;;=,"})
        CHECK_MESSAGE(answer_to(offer).empty(), offer);
}

TEST_CASE("a payload is compressed by itself, or left as it is where that gains nothing") {
    Deflater deflater(6);
    const std::string text(5000, 'a');
    const std::string first(deflater.deflate(text));
    CHECK(first.size() < 100);
    CHECK(inflate(first) == text);
    CHECK(std::string(deflater.deflate(text)) == first);  // nothing is remembered
    CHECK(deflater.deflate(noise(5000)).empty());
    CHECK(deflater.deflate("").empty());
    CHECK(deflater.deflate("x").empty());
    const std::string large(3'000'000, 'b');
    CHECK(inflate(std::string(deflater.deflate(large))) == large);
    CHECK(std::string(deflater.deflate(text)) == first);
}

TEST_CASE("a frame is compressed once for all its copies, whichever threads ask") {
    std::string text;
    for (int i = 0; i < 20'000; ++i) text += std::to_string(i);
    for (int round = 0; round < 20; ++round) {
        const Frame frame = Frame::text({text});
        std::vector<const char*> seen(4, nullptr);
        std::vector<std::thread> threads;
        for (std::size_t i = 0; i < seen.size(); ++i)
            threads.emplace_back([copy = frame, &seen, i] {
                Deflater deflater(1);
                seen[i] = copy.deflated(deflater).data();
            });
        for (auto& thread : threads) thread.join();
        for (const char* data : seen) CHECK(data == seen[0]);
    }
    Deflater deflater(6);
    const SharedBytes twin = Frame::text({text}).deflated(deflater);
    CHECK(static_cast<unsigned char>(twin.data()[0]) == 0xc1);
    CHECK(static_cast<unsigned char>(Frame::binary(text).deflated(deflater).data()[0]) == 0xc2);
    const Frame random = Frame::binary(noise(3000));
    CHECK(random.deflated(deflater).data() == random.wire().data());
    CHECK(random.deflated(deflater).data() == random.wire().data());
}

TEST_CASE(
    "messages over the threshold go out compressed to those who agreed, the rest as they are") {
    Fixture f;
    f.server.options.deflate_threshold_bytes = 100;
    f.server.open();
    auto client = f.connect();
    CHECK(f.answer.header("sec-websocket-extensions").starts_with("permessage-deflate; "));
    const std::string large(50'000, 'x');
    f.send(Frame::text({large}));
    ClientFrame frame = client->frame();
    CHECK(frame.compressed);
    CHECK(frame.payload.size() < 200);
    CHECK(inflate(frame.payload) == large);
    f.send(Frame::text({std::string(99, 'x')}));
    CHECK_FALSE(client->frame().compressed);
    f.send(Frame::text({std::string(100, 'x')}));
    CHECK(client->frame().compressed);
    f.send(Frame::text({large}), false);
    CHECK_FALSE(client->frame().compressed);
    f.send(Frame::binary(noise(500)));
    CHECK_FALSE(client->frame().compressed);
}

TEST_CASE("clients that do not offer compression, and servers that do not want it, go without") {
    Fixture f;
    f.server.open();
    auto client = f.connect("");
    CHECK(f.answer.header("sec-websocket-extensions").empty());
    f.send(Frame::text({std::string(50'000, 'x')}));
    CHECK_FALSE(client->frame().compressed);
    client->send(compressed_frame("hello"));
    CHECK(client->frame().close_code() == 1002);  // RSV1 means nothing here

    Fixture off;
    off.server.options.deflate = false;
    off.server.open();
    auto other = off.connect();
    CHECK(off.answer.header("sec-websocket-extensions").empty());
}

TEST_CASE("compressed messages are read, in one frame or several, among others") {
    Fixture f;
    f.server.open();
    auto client = f.connect();
    std::vector<std::string> sent = {
        "",   "hello", std::string(256, 'a'), std::string(257, 'b'), std::string(900'000, 'c'),
        "end"};
    for (const std::string& text : sent) client->send(compressed_frame(text));
    client->send_frame(1, "plain");
    const std::string split = deflate(std::string(10'000, 'd'));
    std::string head = client_frame(1, split.substr(0, 5), false);
    head[0] |= 0x40;
    client->send(head + client_frame(9, "ping") + client_frame(0, split.substr(5)));
    sent.push_back("plain");
    sent.push_back(std::string(10'000, 'd'));
    CHECK(wait_until([&] { return f.recorder->messages().size() == sent.size(); }));
    const auto received = f.recorder->messages();
    for (std::size_t i = 0; i < received.size(); ++i) CHECK(received[i].first == sent[i]);
}

TEST_CASE("the message limit holds for what a message inflates to: 1009") {
    Fixture f;
    f.server.options.max_message_bytes = 100'000;
    f.server.open();
    auto client = f.connect();
    client->send(compressed_frame(std::string(10'000'000, '\0')));  // some 10 KB on the wire
    CHECK(client->frame().close_code() == 1009);
    CHECK(wait_until([&] { return f.recorder->end() == WebSocketEnd::too_large; }));
    CHECK(f.recorder->messages().empty());
    CHECK(f.server.total(&TransportStats::bytes_in) < 100'000);
}

TEST_CASE("garbage where compressed data should be ends the connection") {
    Fixture f;
    f.server.open();
    auto client = f.connect();
    std::string frame = client_frame(1, std::string(100, '\xff'));
    frame[0] |= 0x40;
    client->send(frame);
    client->rest();
    CHECK(wait_until([&] { return f.recorder->end() == WebSocketEnd::failed; }));
    CHECK(f.recorder->messages().empty());
}
