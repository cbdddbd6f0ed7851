#include <doctest/doctest.h>

#include <algorithm>
#include <chrono>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "core/base/bytes.hpp"
#include "core/base/clock.hpp"
#include "core/base/function.hpp"
#include "core/base/ids.hpp"
#include "core/base/json_text.hpp"
#include "core/base/manual_reactor.hpp"
#include "core/base/timer_queue.hpp"

using namespace moonwire;
using namespace std::chrono_literals;

TEST_CASE("shared bytes are copied by reference and concatenated once") {
    SharedBytes joined = SharedBytes::concat({"ab", "", "cd"});
    SharedBytes copy = joined;
    CHECK(copy.view() == "abcd");
    CHECK(copy.data() == joined.data());
    CHECK(SharedBytes().view().empty());
}

TEST_CASE("a function keeps move-only state, small or large, and destroys it once") {
    auto tracker = std::make_shared<int>(7);
    std::string large(100, 'x');
    {
        Function<int(int)> small = [tracker](int n) { return *tracker + n; };
        Function<std::size_t()> big = [large, a = 1, b = 2.0, tracker] {
            return large.size() + std::size_t(a) + std::size_t(b);
        };
        Function<int(int)> moved = std::move(small);
        CHECK_FALSE(small);
        CHECK(moved(1) == 8);
        CHECK(big() == 103);
        CHECK(tracker.use_count() == 3);
    }
    CHECK(tracker.use_count() == 1);
}

TEST_CASE("ids are 20 url-safe characters, distinct, and carry their tag") {
    std::set<std::string> seen;
    for (int i = 0; i < 1000; ++i) {
        const std::string id = make_id(static_cast<unsigned char>(i % 256));
        CHECK(id.size() == 20);
        CHECK(id.find_first_not_of("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_") ==
              std::string::npos);
        CHECK(id_tag(id) == static_cast<unsigned char>(i % 256));
        seen.insert(id);
    }
    CHECK(seen.size() == 1000);
    CHECK_FALSE(id_tag("short"));
    CHECK_FALSE(id_tag("!!!!!!!!!!!!!!!!!!!!"));
}

TEST_CASE("a uuid has version 4 and the RFC variant") {
    const std::string uuid = make_uuid();
    REQUIRE(uuid.size() == 36);
    CHECK(uuid[14] == '4');
    CHECK(std::string("89ab").find(uuid[19]) != std::string::npos);
}

TEST_CASE("iso time has milliseconds and Z") {
    CHECK(iso_time(1727892000.123456) == "2024-10-02T18:00:00.123Z");
    CHECK(iso_time(0) == "1970-01-01T00:00:00.000Z");
}

TEST_CASE("a JSON string escapes controls and replaces bytes that are not UTF-8") {
    CHECK(json_string("a\"b\\c\n\x01") == "\"a\\\"b\\\\c\\n\\u0001\"");
    CHECK(json_string("h\xc3\xa9") == "\"h\xc3\xa9\"");
    CHECK(json_string("\xff\xed\xa0\x80") == "\"\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\"");
    CHECK(json_string("\xe2\x82") == "\"\xef\xbf\xbd\xef\xbf\xbd\"");
}

TEST_CASE("timers fire in order of time, then of arming, and not after cancel") {
    TimerQueue timers;
    std::vector<int> fired;
    const TimePoint start{};
    timers.add(start + 30ms, [&] { fired.push_back(3); });
    timers.add(start + 10ms, [&] { fired.push_back(1); });
    const TimerId cancelled = timers.add(start + 20ms, [&] { fired.push_back(99); });
    timers.add(start + 10ms, [&] { fired.push_back(2); });
    CHECK(timers.cancel(cancelled));
    CHECK_FALSE(timers.cancel(cancelled));
    timers.run_due(start + 9ms);
    CHECK(fired.empty());
    timers.run_due(start + 40ms);
    CHECK(fired == std::vector<int>{1, 2, 3});
    CHECK(timers.size() == 0);
}

TEST_CASE("a timer armed by a timer with no delay waits for the next run") {
    TimerQueue timers;
    int runs = 0;
    timers.add(TimePoint{}, [&] {
        ++runs;
        timers.add(TimePoint{}, [&] { ++runs; });
    });
    timers.run_due(TimePoint{});
    CHECK(runs == 1);
    timers.run_due(TimePoint{});
    CHECK(runs == 2);
}

TEST_CASE("thousands of timers keep their order through random cancels") {
    TimerQueue timers;
    std::vector<TimerId> ids;
    std::vector<int> fired;
    unsigned random = 1;
    std::vector<int> expected;
    for (int i = 0; i < 5000; ++i) {
        random = random * 1103515245u + 12345u;
        const int at = static_cast<int>(random >> 16 & 0x3ff);
        ids.push_back(timers.add(TimePoint{} + std::chrono::milliseconds(at),
                                 [&fired, at] { fired.push_back(at); }));
    }
    for (std::size_t i = 0; i < ids.size(); i += 3) CHECK(timers.cancel(ids[i]));
    timers.run_due(TimePoint{} + 2s);
    CHECK(fired.size() == 3333);
    CHECK(std::is_sorted(fired.begin(), fired.end()));
}

TEST_CASE("a manual reactor runs posted work, then turn ends, and timers by its own clock") {
    ManualReactor reactor;
    std::string order;
    reactor.at_turn_end([&] { order += 'e'; });
    reactor.post([&] { order += 'p'; });
    reactor.after(5ms, [&] { order += 't'; });
    reactor.settle();
    CHECK(order == "pe");
    reactor.advance(4ms);
    CHECK(order == "pe");
    reactor.advance(1ms);
    CHECK(order == "pet");
}
