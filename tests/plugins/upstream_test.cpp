#include <doctest/doctest.h>

#include <vector>

#include "plugins/upstream/array_text.hpp"
#include "plugins/upstream/inbox.hpp"
#include "plugins/upstream/options.hpp"

using namespace moonwire::upstream;

TEST_CASE("the first elements of an array are taken, and the rest stays as it is, to the letter") {
    std::string array = R"(["a\"],b",[1,{"c":"]}"}],1e400,{"x":[]},"last"])";
    CHECK(take_text(array) == "a\"],b");
    CHECK(take_first(array) == R"([1,{"c":"]}"}])");
    CHECK(array == R"([1e400,{"x":[]},"last"])");
    CHECK(take_first(array) == "1e400");
    CHECK(take_text(array) == "");  // no text
    CHECK(take_text(array) == "last");
    CHECK(array == "[]");
    CHECK(take_first(array) == "");
    CHECK(array == "[]");
}

TEST_CASE("a text is put first, quoted") {
    std::string array = "[]";
    put_text(array, "b\n\"");
    CHECK(array == R"(["b\n\""])");
    put_text(array, "a");
    CHECK(array == R"(["a","b\n\""])");
    CHECK(take_text(array) == "a");
    CHECK(take_text(array) == "b\n\"");
}

TEST_CASE("what scripts want is read, option by option") {
    const auto all = read_wanted(
        R"([["a",{"url":"http://a","path":"/p/","namespace":"/n","auth":"{\"t\":1}",)"
        R"("headers":{"x-a":"1"},"transports":["polling"],"insecure":true,"timeout":2.5,)"
        R"("reconnection_attempts":3,"reconnection_delay":0.5,"reconnection_delay_max":4,)"
        R"("queue":5,"queue_bytes":600,"drop_oldest":true}],["b",{"reconnection_attempts":0}]])");
    REQUIRE(all.size() == 2);
    CHECK(all[0].name == "a");
    const auto& options = all[0].options;
    CHECK(options.url == "http://a");
    CHECK(options.path == "/p/");
    CHECK(options.nsp == "/n");
    CHECK(options.auth_json == R"({"t":1})");
    REQUIRE(options.headers.size() == 1);
    CHECK(options.headers[0].second == "1");
    CHECK(options.polling);
    CHECK_FALSE(options.websocket);
    CHECK(options.insecure);
    CHECK(options.timeout == std::chrono::milliseconds(2500));
    CHECK(options.attempts == 3u);
    CHECK(options.delay == std::chrono::milliseconds(500));
    CHECK(options.delay_max == std::chrono::seconds(4));
    CHECK(options.queue_events == 5);
    CHECK(options.queue_bytes == 600);
    CHECK(options.drop_oldest);
    CHECK_FALSE(all[1].options.attempts);
    CHECK(all[1].options.websocket);
    CHECK(read_wanted("[]").empty());
}

TEST_CASE("options are the same in any order, and others if any of them differs") {
    const auto wanted = [](const std::string& options) {
        return read_wanted("[[\"a\"," + options + "]]").front();
    };
    const auto one = wanted(R"({"url":"http://a","queue":1,"auth":"{\"a\":1,\"b\":[2]}"})");
    CHECK(
        same_options(one, wanted(R"({"auth":"{\"b\":[2],\"a\":1}","queue":1,"url":"http://a"})")));
    CHECK_FALSE(
        same_options(one, wanted(R"({"auth":"{\"b\":[3],\"a\":1}","queue":1,"url":"http://a"})")));
    CHECK_FALSE(same_options(one, wanted(R"({"auth":"","queue":1,"url":"http://a"})")));
    CHECK_FALSE(
        same_options(one, wanted(R"({"auth":"{\"a\":1,\"b\":[2]}","queue":2,"url":"http://a"})")));
}

TEST_CASE("so many events are handled at once, and the others wait in order") {
    std::vector<std::string> begun;
    Inbox inbox({.at_once = 2}, [&](Arrival arrival) { begun.push_back(arrival.event); });
    for (const char* each : {"a", "b", "c", "d"}) {
        Arrival arrival{each, {}};
        CHECK(inbox.push(arrival));
    }
    CHECK(begun == std::vector<std::string>{"a", "b"});
    inbox.handled();
    CHECK(begun == std::vector<std::string>{"a", "b", "c"});
    inbox.handled();
    inbox.handled();
    inbox.handled();
    CHECK(begun.size() == 4);
}

TEST_CASE("events that are handled at once don't pile up on the stack") {
    std::size_t begun = 0;
    Inbox* all = nullptr;
    Inbox inbox({.at_once = 1, .waiting = 200'000}, [&](Arrival) {
        // While the first is at it, the others come.
        if (++begun == 1) {
            for (int i = 0; i < 100'000; ++i) {
                Arrival arrival{"x", {}};
                all->push(arrival);
            }
        }
        all->handled();
    });
    all = &inbox;
    Arrival first{"x", {}};
    CHECK(inbox.push(first));
    CHECK(begun == 100'001);
}

TEST_CASE("the limit of waiting events, and of their bytes, refuses more and counts them") {
    Inbox inbox({.at_once = 0, .waiting = 2, .waiting_bytes = 100}, [](Arrival) {});
    Arrival small{"a", {}};
    CHECK(inbox.push(small));
    Arrival large{"b", {"[]", {std::string(100, 'x')}}};
    CHECK_FALSE(inbox.push(large));
    CHECK(large.event == "b");  // still the caller's
    Arrival second{"c", {}};
    CHECK(inbox.push(second));
    Arrival third{"d", {}};
    CHECK_FALSE(inbox.push(third));
    CHECK(inbox.refused() == 2);
}
