// Clients of protocol 4: socket.io-client 2, over Engine.IO 3.
#include "tests/socketio/fixture.hpp"

using namespace moonwire;
using namespace moonwire::socketio;

TEST_CASE("a legacy client is in the main namespace by itself, with its session's id") {
    Fixture fixture;
    const auto session = fixture.open(3);
    CHECK(session->take() == Lines{"0"});
    CHECK(fixture.main->last->id() == session->id());
    session->receive("0");  // it may ask all the same
    CHECK_FALSE(session->closed);
    session->receive("2[\"echo\",1]");
    session->receive("20[\"echo\",2]");
    CHECK(session->take() == Lines{"30[\"echo\",2]"});
}

TEST_CASE("a legacy client joins further namespaces, its query being what it says of itself") {
    Fixture fixture;
    const auto session = fixture.open(3);
    session->take();
    session->receive("0/chat?token=a%22b&room=1,");
    CHECK(session->take() == Lines{"0/chat,"});
    CHECK(fixture.chat->take() ==
          Lines{"connecting {\"token\":\"a\\\"b\",\"room\":\"1\"}", "connect"});
    CHECK(fixture.chat->last->id() == "/chat#" + session->id());
    session->receive("0/none,");
    CHECK(session->take() == Lines{"4/none,{\"message\":\"Invalid namespace\"}"});
}

TEST_CASE("a legacy client is refused with the error's data, or else its message") {
    Fixture fixture;
    fixture.chat->refusal = Refusal{"no", ""};
    const auto session = fixture.open(3);
    session->take();
    session->receive("0/chat,");
    CHECK(session->take() == Lines{"4/chat,\"no\""});
    fixture.chat->refusal = Refusal{"no", R"({"code":"x"})"};
    session->receive("0/chat,");
    CHECK(session->take() == Lines{"4/chat,{\"code\":\"x\"}"});
}
