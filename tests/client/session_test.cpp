#include "core/client/session.hpp"

#include <doctest/doctest.h>

#include "tests/client/fake_carrier.hpp"

using namespace moonwire;
using namespace moonwire::test;
using namespace std::chrono_literals;
using client::SessionEnd;
using Kind = SessionEnd::Kind;

namespace {

struct Fixture : client::SessionListener {
    explicit Fixture(std::string nsp = "/", std::string auth = {})
        : session(std::make_shared<client::Session>(
              server.reactor, client::Session::Options{std::move(nsp), std::move(auth), 20s},
              *this)) {
        session->start(server.connect());
    }
    void on_connected(std::string_view id) override { told.push_back("connected " + std::string(id)); }
    void on_event(std::string_view name, const client::Incoming& incoming) override {
        told.push_back(std::string(name) + " " + text(incoming));
    }
    void on_acknowledged(const client::Incoming& incoming) override {
        told.push_back("ack " + text(incoming));
    }
    /// "7: [1] b c": the id, the arguments, the attachments.
    static std::string text(const client::Incoming& incoming) {
        std::string text = incoming.id ? std::to_string(*incoming.id) + ": " : "";
        text += incoming.arguments;
        for (const std::string& each : incoming.attachments) text += " " + each;
        return text;
    }
    void on_settled() override {}
    void on_end(SessionEnd how) override { end = std::move(how); }

    /// Lets a close that was begun come to its end.
    std::optional<SessionEnd> ended() {
        server.reactor.settle();
        return end;
    }

    FakeServer server;
    std::shared_ptr<client::Session> session;
    std::vector<std::string> told;
    std::optional<SessionEnd> end;
};

}  // namespace

TEST_CASE("a session enters its namespace and sends and hears events") {
    Fixture f("/chat", R"({"token":1})");
    f.server.last().welcome("/chat,");
    CHECK(f.server.last().sent == std::vector<std::string>{R"(40/chat,{"token":1})"});
    f.session->emit({R"(["say",1])", {}}, 3);
    f.session->emit({R"(["b",{"_placeholder":true,"num":0}])", {"\x01"}});
    CHECK(f.server.last().sent[1] == R"(42/chat,3["say",1])");
    CHECK(f.server.last().sent[2] == R"(451-/chat,["b",{"_placeholder":true,"num":0}])");
    CHECK(f.server.last().sent[3] == "<\x01>");
    f.server.last().say(R"(42/chat,["hello",{"a":1}])");
    f.server.last().say(R"(42["another namespace's"])");
    f.server.last().say(R"(43/chat,7["not ours"])");
    f.server.last().say(R"(43/chat,3["done"])");
    f.server.last().say(R"(452-/chat,["two",{"_placeholder":true,"num":1},{"_placeholder":true,"num":0}])");
    f.server.last().attach("a");
    f.server.last().attach("b");
    CHECK(f.told == std::vector<std::string>{
                        "connected S", R"(hello [{"a":1}])", R"(ack 7: ["not ours"])",
                        R"(ack 3: ["done"])",
                        R"(two [{"_placeholder":true,"num":1},{"_placeholder":true,"num":0}] a b)"});
    f.session->leave();
    CHECK(f.server.last().sent.back() == "41/chat,");
    CHECK(f.ended()->kind == Kind::left);
}

TEST_CASE("a session acknowledges the server's events, with bytes, too") {
    Fixture f("/chat");
    f.server.last().welcome("/chat,");
    f.server.last().say(R"(42/chat,12["may I",1])");
    CHECK(f.told.back() == "may I 12: [1]");
    f.session->acknowledge(12, {R"([true])", {}});
    f.session->acknowledge(13, {R"([{"_placeholder":true,"num":0}])", {"x"}});
    f.session->acknowledge(14, {"[]", {}});
    CHECK(f.server.last().sent ==
          std::vector<std::string>{"40/chat,", "43/chat,12[true]",
                                   R"(461-/chat,13[{"_placeholder":true,"num":0}])", "<x>",
                                   "43/chat,14[]"});
}

TEST_CASE("a packet whose attachments exceed the limit of bytes ends the session") {
    Fixture f;
    f.session = std::make_shared<client::Session>(
        f.server.reactor, client::Session::Options{.max_packet_bytes = 100}, f);
    f.session->start(f.server.connect());
    f.server.last().welcome();
    f.server.last().say(R"(452-["b",{"_placeholder":true,"num":1},{"_placeholder":true,"num":0}])");
    f.server.last().attach("small");
    CHECK_FALSE(f.ended());
    f.server.last().attach(std::string(100, 'x'));
    REQUIRE(f.ended());
    CHECK(f.end->reason == "the server broke the protocol: too large a packet");
}

TEST_CASE("a session answers pings, and ends when they stop") {
    Fixture f;
    f.server.last().welcome();
    for (int i = 0; i < 5; ++i) {
        f.server.reactor.advance(1400ms);
        f.server.last().say("2");
        CHECK(f.server.last().sent.back() == "3");
    }
    CHECK_FALSE(f.ended());
    f.server.reactor.advance(1500ms);
    REQUIRE(f.ended());
    CHECK(f.end->kind == Kind::lost);
    CHECK(f.end->reason == "the server fell silent");
    CHECK(f.server.last().closed);
}

TEST_CASE("a session that is not let in in time ends") {
    Fixture f;
    f.server.last().say(R"(0{"sid":"E","pingInterval":1000,"pingTimeout":500})");
    f.server.reactor.advance(19s);
    CHECK_FALSE(f.ended());
    f.server.reactor.advance(2s);
    REQUIRE(f.ended());
    CHECK(f.end->kind == Kind::unreachable);
    CHECK(f.end->reason == "timed out");
}

TEST_CASE("a refusal, a disconnect and a lost connection are told apart") {
    Fixture refused("/x");
    refused.server.last().say(R"(0{"sid":"E","pingInterval":1000,"pingTimeout":500})");
    refused.server.last().say(R"(44/x,{"message":"no","data":{"why":1}})");
    REQUIRE(refused.ended());
    CHECK(refused.end->kind == Kind::refused);
    CHECK(refused.end->reason == "no");
    CHECK(refused.end->data == R"({"why":1})");

    Fixture put_out;
    put_out.server.last().welcome();
    put_out.server.last().say("41");
    CHECK(put_out.ended()->kind == Kind::disconnected);

    Fixture lost;
    lost.server.last().welcome();
    lost.server.last().end("reset");
    CHECK(lost.ended()->kind == Kind::lost);

    Fixture closed;
    closed.server.last().welcome();
    closed.server.last().say("1");
    CHECK(closed.ended()->kind == Kind::lost);

    Fixture unreachable;
    unreachable.server.last().end("the server refused", 400, R"({"message":"bad"})");
    CHECK(unreachable.ended()->kind == Kind::unreachable);
    CHECK(unreachable.end->reason == "the server refused: HTTP 400: bad");
}

TEST_CASE("whatever breaks the protocol ends the session with a reason") {
    const auto reason = [](auto... packets) {
        Fixture f;
        f.server.last().welcome();
        (f.server.last().say(packets), ...);
        const auto end = f.ended();
        return end ? end->reason : "none";
    };
    for (const char* packet : {"x", "", R"(0{"sid":"F","pingInterval":1,"pingTimeout":1})",
                               "49", "42{}", R"(40{"sid":"T"})", R"(42["a",])", R"(42["connect"])",
                               "42[{}]", R"(451-["a",{"_placeholder":true,"num":0}])"}) {
        CAPTURE(packet);
        CHECK(reason(packet, "42[\"text\"]").starts_with("the server broke the protocol: "));
    }
    CHECK(reason("4599999999-[\"a\"]").find("too many attachments") != std::string::npos);
    CHECK(reason("42[\"a\"]") == "none");

    Fixture stray;
    stray.server.last().welcome();
    stray.server.last().attach("bytes");
    CHECK(stray.ended()->reason.ends_with("an attachment of no packet"));

    Fixture early;
    early.server.last().say("42[\"a\"]");
    CHECK(early.ended()->kind == Kind::unreachable);
    Fixture old;
    old.server.last().say(R"(0{"sid":"E","pingInterval":1000,"pingTimeout":500})");
    old.server.last().say("40");
    CHECK(old.ended()->reason.ends_with("as of Socket.IO 2"));
}

TEST_CASE("nothing is told after leaving but the end, which waits for the carrier") {
    Fixture f;
    f.server.last().welcome();
    f.server.last().hangs = true;
    f.session->leave();
    f.session->leave();
    f.server.last().say("42[\"late\"]");
    f.session->emit({"[\"x\"]", {}}, false);
    CHECK(f.told == std::vector<std::string>{"connected S"});
    CHECK(f.server.last().sent.back() == "41");
    CHECK_FALSE(f.ended());
    f.server.last().end("closed");
    CHECK(f.ended()->kind == Kind::left);
}
