// What one socket may send a second, and how many connections a user may have.
#include "core/base/incidents.hpp"
#include "tests/socketio/fixture.hpp"

using namespace moonwire;
using namespace moonwire::socketio;
using namespace std::chrono_literals;
using Lines = std::vector<std::string>;

namespace {

constexpr const char* kLimited = R"({"code":"rate_limited","message":"too much a second"})";

ServerOptions with_inbound(Rate events, Rate bytes, bool disconnect = false) {
    ServerOptions options;
    options.inbound.events = events;
    options.inbound.bytes = bytes;
    options.inbound.disconnect = disconnect;
    return options;
}

ServerOptions with_users(std::size_t limit) {
    ServerOptions options;
    options.nsp.connections_per_user = limit;
    return options;
}

}  // namespace

TEST_CASE("events over the rate are dropped and told so, and come through again later") {
    Fixture fixture(with_inbound(Rate(3, 1), {}));
    const auto session = fixture.join();
    const auto before = incidents().count(IncidentKind::events_per_second);
    fixture.main->take();
    for (int i = 1; i <= 5; ++i) session->receive("2" + std::to_string(i) + "[\"echo\"]");
    const std::string error = "[{\"error\":" + std::string(kLimited) + "}]";
    CHECK(session->take() ==
          Lines{"31[\"echo\"]", "32[\"echo\"]", "33[\"echo\"]", "34" + error, "35" + error});
    CHECK(fixture.main->take().size() == 3);
    CHECK(fixture.nsp("/").stats().limited == 2);
    CHECK(session->slowed == 2);
    CHECK(incidents().count(IncidentKind::events_per_second) == before + 2);
    fixture.reactor.advance(400ms);
    session->receive("26[\"echo\"]");
    CHECK(session->take() == Lines{"36[\"echo\"]"});
    CHECK_FALSE(session->closed);
}

TEST_CASE("who did not ask for an answer is told of dropped events once a second") {
    Fixture fixture(with_inbound(Rate(1, 1000), {}));
    const auto session = fixture.join();
    for (int i = 0; i < 10; ++i) session->receive("2[\"echo\"]");
    CHECK(session->take() == Lines{"2[\"error\"," + std::string(kLimited) + "]"});
    fixture.reactor.advance(1s);
    for (int i = 0; i < 10; ++i) session->receive("2[\"echo\"]");
    CHECK(session->take().size() == 1);
}

TEST_CASE("each socket has a rate of its own") {
    Fixture fixture(with_inbound(Rate(1, 1000), {}));
    const auto first = fixture.join();
    const auto second = fixture.join();
    first->receive("21[\"echo\"]");
    first->receive("22[\"echo\"]");
    second->receive("21[\"echo\"]");
    CHECK(first->take().back().find("rate_limited") != std::string::npos);
    CHECK(second->take() == Lines{"31[\"echo\"]"});
}

TEST_CASE("acknowledgements count as events, and over the rate they are lost") {
    Fixture fixture(with_inbound(Rate(1, 1000), {}));
    const auto session = fixture.join();
    std::string answer = "none";
    for (int i = 0; i < 2; ++i)
        fixture.main->last->call({"[\"q\"]"}, std::nullopt, [&](AckOutcome outcome, Payload payload) {
            if (outcome == AckOutcome::answered) answer = payload.json;
            return true;
        });
    session->take();
    session->receive("30[\"a\"]");
    session->receive("31[\"b\"]");
    CHECK(answer == "[\"a\"]");
    CHECK(session->take().empty());
    CHECK(fixture.nsp("/").stats().limited == 1);
}

TEST_CASE("bytes over the rate are dropped, those of attachments too") {
    Fixture fixture(with_inbound({}, Rate(1000, 1)));
    const auto session = fixture.join();
    const auto before = incidents().count(IncidentKind::bytes_per_second);
    session->receive(R"(51-1["echo",{"_placeholder":true,"num":0}])");
    session->receive_binary(std::string(1500, 'x'));
    CHECK(session->take().size() == 2);  // text and bytes: larger than what is left, and paid for later
    session->receive("22[\"echo\"]");
    CHECK(session->take().front().find("rate_limited") != std::string::npos);
    CHECK(incidents().count(IncidentKind::bytes_per_second) == before + 1);
    fixture.reactor.advance(600ms);
    session->receive("23[\"echo\"]");
    CHECK(session->take() == Lines{"33[\"echo\"]"});
}

TEST_CASE("over the rate the connection ends, if so set, and the client knows why") {
    Fixture fixture(with_inbound(Rate(2, 1000), {}, true));
    const auto session = fixture.join();
    session->receive("0/chat,");
    session->take();
    for (int i = 1; i <= 3; ++i) session->receive("2" + std::to_string(i) + "[\"echo\"]");
    const auto sent = session->take();
    REQUIRE(sent.size() == 5);
    CHECK(sent[2].starts_with("33[{\"error\":{\"code\":\"rate_limited\""));
    CHECK(sent[3] == "1");
    CHECK(sent[4] == "1/chat,");
    CHECK(session->closed == engineio::CloseReason::forced_close);
    fixture.reactor.settle();
    CHECK(fixture.main->take().back() == "disconnect server namespace disconnect");
}

TEST_CASE("CONNECTs have the same rate, a connection's") {
    Fixture fixture(with_inbound(Rate(3, 1000), {}));
    const auto session = fixture.join();
    for (int i = 0; i < 2; ++i) {
        session->receive("0/chat,");
        session->receive("1/chat,");
    }
    session->take();
    fixture.chat->take();
    session->receive("0/chat,");
    CHECK(session->take() ==
          Lines{R"(4/chat,{"message":"too much a second","data":{"code":"rate_limited"}})"});
    CHECK(fixture.chat->take().empty());
    session->receive("21[\"echo\"]");
    CHECK(session->take() == Lines{"31[\"echo\"]"});
}

TEST_CASE("a user has so many connections in a namespace, and gets them back") {
    Fixture fixture(with_users(2));
    fixture.main->user = fixture.chat->user = "u1";
    const auto before = incidents().count(IncidentKind::connections_per_user);
    for (int storm = 0; storm < 20; ++storm) {
        const auto first = fixture.join();
        const auto second = fixture.join();
        const auto third = fixture.open();
        third->receive("0");
        CHECK(third->take() == Lines{R"(4{"message":"too many connections",)"
                                     R"("data":{"code":"too_many_connections"}})"});
        third->receive("0/chat,");  // counts for itself
        CHECK(third->take().front().starts_with("0/chat,{\"sid\""));
        fixture.main->user = "u2";
        const auto other = fixture.join();
        fixture.main->user = "";
        for (int i = 0; i < 5; ++i) fixture.join();  // whom nobody knows
        fixture.main->user = "u1";
        first->receive("1");
        const auto fourth = fixture.join();
        for (const auto& session : fixture.sessions)
            session->finish(engineio::CloseReason::transport_close);
        fixture.reactor.settle();
    }
    CHECK(incidents().count(IncidentKind::connections_per_user) == before + 20);
}

TEST_CASE("refusals are incidents: failed authentications for their code, others as refused") {
    Fixture fixture;
    const auto failed = incidents().count(IncidentKind::auth_failed);
    const auto refused = incidents().count(IncidentKind::refused);
    fixture.main->refusal = Refusal{"no token", R"({"code":"unauthorized"})", "unauthorized"};
    fixture.open()->receive("0");
    fixture.main->refusal = Refusal{"closed", ""};
    fixture.open()->receive("0");
    CHECK(incidents().count(IncidentKind::auth_failed) == failed + 1);
    CHECK(incidents().count(IncidentKind::refused) == refused + 1);
}

TEST_CASE("each limit of a socket that is reached is an incident") {
    ServerOptions options;
    options.nsp.rooms = 1;
    options.nsp.awaited_acks = 1;
    options.max_namespaces = 1;
    options.max_events_in_flight = 1;
    Fixture fixture(options);
    const auto session = fixture.join();
    const auto one_more = [](IncidentKind kind, auto&& act) {
        const auto before = incidents().count(kind);
        act();
        CHECK(incidents().count(kind) == before + 1);
    };
    const SocketPtr socket = fixture.main->last;
    socket->join("a");
    one_more(IncidentKind::rooms_per_socket, [&] { CHECK_FALSE(socket->join("b")); });
    const auto call = [&] {
        socket->call({"[\"q\"]"}, std::nullopt, [](AckOutcome, Payload) { return true; });
    };
    call();
    one_more(IncidentKind::awaited_acks_per_socket, call);
    one_more(IncidentKind::namespaces_per_connection, [&] { session->receive("0/chat,"); });
    session->receive("2[\"keep\"]");
    one_more(IncidentKind::events_in_flight, [&] { session->receive("2[\"echo\"]"); });
    one_more(IncidentKind::protocol, [&] { session->receive("2{}"); });
}
