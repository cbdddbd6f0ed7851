#include "core/base/latencies.hpp"

#include <doctest/doctest.h>

using namespace moonwire;
using namespace std::chrono_literals;

TEST_CASE("latencies are counted by the bound that they do not exceed") {
    Latencies times;
    times.add(10us);
    times.add(11us);
    times.add(5s);
    times.add(6s);
    times.add(-1s);  // a clock that went back: nothing
    const Latencies::Snapshot all = times.snapshot();
    CHECK(all.counts.front() == 2);
    CHECK(all.counts[1] == 1);
    CHECK(all.counts[Latencies::kBounds.size() - 1] == 1);
    CHECK(all.counts.back() == 1);
    CHECK(all.count() == 5);
    CHECK(all.seconds == doctest::Approx(11.000021));
}

TEST_CASE("snapshots add up") {
    Latencies a, b;
    a.add(1ms);
    b.add(2ms);
    Latencies::Snapshot sum = a.snapshot();
    sum += b.snapshot();
    CHECK(sum.count() == 2);
    CHECK(sum.seconds == doctest::Approx(0.003));
}
