#include "core/client/outbox.hpp"

#include <doctest/doctest.h>

using namespace moonwire::client;

namespace {

OutboxEntry entry(std::string json, std::string bytes = {}) {
    OutboxEntry made{{std::move(json), {}}, nullptr};
    if (!bytes.empty()) made.event.attachments.push_back(std::move(bytes));
    return made;
}

std::string all_of(Outbox& outbox) {
    std::string all;
    while (const auto next = outbox.pop()) all += next->event.json;
    return all;
}

}  // namespace

TEST_CASE("an outbox gives back in order, but for what was taken out") {
    Outbox outbox({});
    for (const char* each : {"a", "b", "c"}) CHECK(outbox.push(entry(each)).number);
    CHECK(outbox.take(1)->event.json == "b");
    CHECK_FALSE(outbox.take(1));
    CHECK_FALSE(outbox.take(7));
    CHECK(outbox.size() == 2);
    CHECK(all_of(outbox) == "ac");
    CHECK_FALSE(outbox.pop());
}

TEST_CASE("the limit of events in an outbox refuses the new, or drops the oldest") {
    Outbox refusing({.events = 2});
    for (const char* each : {"a", "b"}) CHECK(refusing.push(entry(each)).number);
    CHECK_FALSE(refusing.push(entry("c")).number);
    CHECK(all_of(refusing) == "ab");
    CHECK(refusing.push(entry("d")).number);

    Outbox dropping({.events = 2, .drop_oldest = true});
    for (const char* each : {"a", "b"}) CHECK(dropping.push(entry(each)).dropped.empty());
    const auto pushed = dropping.push(entry("c"));
    CHECK(pushed.number);
    REQUIRE(pushed.dropped.size() == 1);
    CHECK(pushed.dropped.front().event.json == "a");
    CHECK(all_of(dropping) == "bc");
}

TEST_CASE("the limit of bytes in an outbox counts attachments, and refuses what never fits") {
    Outbox refusing({.bytes = 1000});
    CHECK(refusing.push(entry("a", std::string(600, 'x'))).number);
    CHECK_FALSE(refusing.push(entry("b", std::string(300, 'x'))).number);
    CHECK(refusing.pop());
    CHECK(refusing.push(entry("b", std::string(300, 'x'))).number);

    Outbox dropping({.bytes = 1000, .drop_oldest = true});
    for (const char* each : {"a", "b", "c"}) dropping.push(entry(each, std::string(200, 'x')));
    CHECK(dropping.push(entry("d", std::string(500, 'x'))).dropped.size() == 2);
    const auto never = dropping.push(entry("e", std::string(2000, 'x')));
    CHECK_FALSE(never.number);
    CHECK(never.dropped.empty());
    CHECK(all_of(dropping) == "cd");
}
