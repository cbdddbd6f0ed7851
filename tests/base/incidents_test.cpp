#include "core/base/incidents.hpp"

#include <doctest/doctest.h>

#include <string>
#include <utility>
#include <vector>

using namespace moonwire;
using namespace std::chrono_literals;

namespace {

/// What was logged, a line each: "warn message name=value …".
struct LogLines final : log::Listener {
    void on_line(log::Level level, std::string_view message, const log::Field* fields,
                 std::size_t count) override {
        std::string line = level == log::Level::warn ? "warn " : "info ";
        line += message;
        for (std::size_t i = 0; i < count; ++i)
            line += " " + fields[i].name + "=" + fields[i].value;
        lines.push_back(line);
    }
    std::vector<std::string> take() { return std::exchange(lines, {}); }
    std::vector<std::string> lines;
};

/// What was told, a line each: "kind address detail count".
struct Heard final : Incidents::Listener {
    void on_incident(const Incident& incident) override {
        lines.push_back(std::string(to_string(incident.kind)) + " " +
                        std::string(incident.address) + " " + std::string(incident.detail) + " " +
                        std::to_string(incident.count));
    }
    std::vector<std::string> take() { return std::exchange(lines, {}); }
    std::vector<std::string> lines;
};

using Lines = std::vector<std::string>;

}  // namespace

TEST_CASE("the first line is written at once, the others are counted and summed up") {
    LogLines log;
    LimitedLog limited(log::Level::warn, "too much", 10s);
    const auto write = [&](Duration at, std::uint64_t count = 1) {
        limited.write(TimePoint{} + at, count,
                      [] { return std::vector<log::Field>{{"address", "a"}}; });
    };
    write(100s);
    CHECK(log.take() == Lines{"warn too much address=a"});
    write(101s);
    write(102s, 5);
    limited.summarise(TimePoint{} + 109s);
    CHECK(log.take().empty());
    SUBCASE("by whoever sees to it") {
        limited.summarise(TimePoint{} + 110s);
        CHECK(log.take() == Lines{"warn too much (again) times=6 seconds=10"});
        limited.summarise(TimePoint{} + 120s);
        CHECK(log.take().empty());
        write(121s);
        CHECK(log.take() == Lines{"warn too much address=a"});
    }
    SUBCASE("by the next of them") {
        write(111s);
        CHECK(log.take() == Lines{"warn too much (again) times=7 seconds=11"});
        write(112s);
        CHECK(log.take().empty());
    }
}

TEST_CASE("an incident is counted, logged and told; one that comes again only now and then") {
    LogLines log;
    Heard heard;
    Incidents all;
    all.listen(heard);
    const Incident incident{.kind = IncidentKind::events_per_second,
                            .address = "192.0.2.1",
                            .user = "u1",
                            .nsp = "/chat",
                            .socket = "s1",
                            .detail = "dropped"};
    for (int i = 0; i < 5; ++i) all.report(incident);
    CHECK(heard.take() == Lines{"events_per_second 192.0.2.1 dropped 1"});
    CHECK(log.take() == Lines{"warn a client sends too many packets a second address=192.0.2.1 "
                              "user=u1 namespace=/chat socket=s1 detail=dropped"});
    CHECK(all.count(IncidentKind::events_per_second) == 5);
    CHECK(all.count(IncidentKind::bytes_per_second) == 0);

    all.tell_repeats(Clock::now());
    CHECK(heard.take() == Lines{"events_per_second 192.0.2.1 dropped 4"});
    all.tell_repeats(Clock::now());
    CHECK(heard.take().empty());
    all.report(incident);
    CHECK(heard.take() == Lines{"events_per_second 192.0.2.1 dropped 1"});

    all.forget(heard);
    all.report({.kind = IncidentKind::origin});
    CHECK(heard.take().empty());
}

TEST_CASE("what differs is told apart, up to a limit; the rest is told as so many others") {
    LogLines log;
    Heard heard;
    Incidents all;
    all.listen(heard);
    for (std::size_t i = 0; i < Incidents::kDifferent + 100; ++i)
        all.report({.kind = IncidentKind::protocol, .address = std::to_string(i)});
    CHECK(heard.take().size() == Incidents::kDifferent);
    all.tell_repeats(Clock::now());
    CHECK(heard.take() == Lines{"protocol  others 100"});
    CHECK(log.take().size() == 1);
    all.forget(heard);
}

TEST_CASE("a client's long texts are cut before they are kept") {
    Heard heard;
    LogLines log;
    Incidents all;
    all.listen(heard);
    const std::string long_text(10'000, 'x');
    all.report({.kind = IncidentKind::origin, .detail = long_text});
    CHECK(heard.take().front().size() < 300);
    all.forget(heard);
}

TEST_CASE("every kind has a name, and only what operators do is not suspicious") {
    for (std::size_t i = 0; i < kIncidentKinds; ++i) {
        const auto kind = static_cast<IncidentKind>(i);
        CHECK_FALSE(to_string(kind).empty());
        CHECK(Incident{kind}.suspicious() == (kind != IncidentKind::admin));
    }
}
