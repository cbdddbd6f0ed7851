// Token buckets, counts and rates by key, addresses: what limits are made of.
#include <doctest/doctest.h>

#include <atomic>
#include <string>
#include <thread>
#include <vector>

#include "core/base/ip_address.hpp"
#include "core/base/shared_counts.hpp"
#include "core/base/shared_rates.hpp"
#include "core/base/token_bucket.hpp"

using namespace moonwire;
using namespace std::chrono_literals;

namespace {

const TimePoint kStart = TimePoint{} + 1h;

int taken(TokenBucket& bucket, const Rate& rate, TimePoint now, int tries) {
    int count = 0;
    for (int i = 0; i < tries; ++i) count += bucket.take(rate, now);
    return count;
}

}  // namespace

TEST_CASE("a bucket gives what a burst may have, and then what comes in") {
    for (const double count : {1.0, 3.0, 7.0, 1000.0}) {
        CAPTURE(count);
        const Rate rate(count, 2);
        TokenBucket bucket;
        CHECK(taken(bucket, rate, kStart, 2000) == count);
        CHECK(taken(bucket, rate, kStart + 1s, 2000) == int(count / 2));
        CHECK(taken(bucket, rate, kStart + 1h, 2000) == count);
    }
}

TEST_CASE("what is refused costs nothing, and no clock that goes back is believed") {
    const Rate rate(2, 1);
    TokenBucket bucket;
    CHECK(taken(bucket, rate, kStart, 100) == 2);
    CHECK_FALSE(bucket.take(rate, kStart - 1h));
    CHECK_FALSE(bucket.take(rate, kStart + 499ms));
    CHECK(bucket.take(rate, kStart + 500ms));
}

TEST_CASE("what is larger than a bucket goes through a full one, and those after it wait") {
    const Rate rate(1000, 1);
    TokenBucket bucket;
    CHECK(bucket.take(rate, kStart, 5000));
    CHECK_FALSE(bucket.take(rate, kStart + 4s, 1));
    CHECK(bucket.take(rate, kStart + 4s + 1ms, 1));
    CHECK(bucket.take(rate, kStart + 1h, UINT64_MAX));
    CHECK_FALSE(bucket.take(rate, kStart + 2h, 1));
}

TEST_CASE("a rate of nothing is no limit, and a very slow one does not overflow") {
    CHECK_FALSE(Rate());
    CHECK(Rate(1, 1));
    TokenBucket bucket;
    const Rate slow(1, 1e300);
    CHECK(bucket.take(slow, kStart));
    CHECK_FALSE(bucket.take(slow, kStart + 24h));
}

TEST_CASE("a key has as many places as it may, and gets them back") {
    const auto counts = std::make_shared<SharedCounts>(2);
    auto first = counts->take("a");
    auto second = counts->take("a");
    CHECK(first);
    CHECK(second);
    CHECK_FALSE(counts->take("a"));
    CHECK(counts->take("b"));
    CHECK(counts->size() == 1);  // b's went with its place
    SharedCounts::Place moved = std::move(first);
    CHECK_FALSE(counts->take("a"));
    moved = {};
    auto third = counts->take("a");
    CHECK(third);
    second = {};
    third = {};
    CHECK(counts->size() == 0);
}

TEST_CASE("a limit of nothing gives no place, and keeps no key") {
    const auto counts = std::make_shared<SharedCounts>(0);
    CHECK_FALSE(counts->take("a"));
    CHECK(counts->size() == 0);
}

TEST_CASE("a storm of threads leaves no place taken, and never more than the limit") {
    const auto counts = std::make_shared<SharedCounts>(3);
    std::atomic<int> held{0}, most{0};
    std::vector<std::thread> threads;
    for (int t = 0; t < 4; ++t) {
        threads.emplace_back([&] {
            for (int i = 0; i < 5000; ++i) {
                const auto place = counts->take("hot");
                const auto other = counts->take(std::to_string(i % 100));
                if (!place) continue;
                const int now = ++held;
                int seen = most;
                while (now > seen && !most.compare_exchange_weak(seen, now)) {
                }
                --held;
            }
        });
    }
    for (auto& thread : threads) thread.join();
    CHECK(most <= 3);
    CHECK(counts->size() == 0);
}

TEST_CASE("each key has its own rate, and the quiet ones are forgotten") {
    SharedRates rates(Rate(2, 1));
    CHECK(rates.take("a", kStart));
    CHECK(rates.take("a", kStart));
    CHECK_FALSE(rates.take("a", kStart));
    CHECK(rates.take("b", kStart));
    CHECK_FALSE(rates.take("a", kStart + 100ms));
    CHECK(rates.take("a", kStart + 600ms));
    CHECK(rates.size() == 2);
    CHECK(rates.take("a", kStart + 10s));
    CHECK(rates.take("a", kStart + 20s));
    CHECK(rates.take("b", kStart + 20s));
    CHECK(rates.take("a", kStart + 30s));
    CHECK(rates.take("b", kStart + 30s));
    CHECK(rates.size() <= 2);
}

TEST_CASE("however many keys come, only so many rates are kept, and one in use is not forgotten") {
    SharedRates rates(Rate(2, 3600));
    for (std::size_t i = 0; i < 3 * SharedRates::kMaxKeys; ++i) {
        rates.take("x" + std::to_string(i), kStart);
        if (i % 1000 == 0) rates.take("busy", kStart);
    }
    CHECK(rates.size() <= SharedRates::kMaxKeys);
    CHECK_FALSE(rates.take("busy", kStart));
}

TEST_CASE("without a rate nothing is refused and nothing kept") {
    SharedRates rates{Rate()};
    for (int i = 0; i < 100; ++i) CHECK(rates.take("a", kStart));
    CHECK(rates.size() == 0);
}

TEST_CASE("addresses are read and written, and IPv4 is the same in both its forms") {
    CHECK(IpAddress::parse("192.0.2.7")->text() == "192.0.2.7");
    CHECK(IpAddress::parse("::ffff:192.0.2.7")->text() == "192.0.2.7");
    CHECK(IpAddress::parse("2001:DB8::1")->text() == "2001:db8::1");
    for (const char* none : {"", "unix:", "unknown", "1.2.3", "::g", "1.2.3.4:80"})
        CHECK_FALSE(IpAddress::parse(none));
}

TEST_CASE("an IPv6 network counts as one address, an IPv4 address as itself") {
    const auto key = [](const char* text, unsigned bits = 64) {
        return IpAddress::parse(text)->key(bits);
    };
    CHECK(key("2001:db8::1") == key("2001:db8::ffff:1"));
    CHECK(key("2001:db8::1") != key("2001:db8:0:1::1"));
    CHECK(key("2001:db8::1", 128) != key("2001:db8::2", 128));
    CHECK(key("2001:db8:0:10::1", 60) == key("2001:db8:0:1f::1", 60));
    CHECK(key("2001:db8:0:10::1", 60) != key("2001:db8:0:20::1", 60));
    CHECK(key("192.0.2.1") != key("192.0.2.2"));
    CHECK(key("192.0.2.1", 1) == key("::ffff:192.0.2.1", 128));
    CHECK(key("c000:200::1", 32) != key("192.0.2.0", 32));
}
