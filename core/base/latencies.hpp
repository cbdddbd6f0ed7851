#pragma once

#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>

#include "core/base/clock.hpp"
#include "core/base/counter.hpp"

namespace moonwire {

/// How often something took how long. One thread writes, any thread reads; no locked instruction,
/// nothing allocated. What is read while it is written may lack the last entry in its sum.
class Latencies {
public:
    /// The buckets' upper bounds; what takes longer has a bucket of its own.
    static constexpr std::array<std::chrono::microseconds, 12> kBounds{
        std::chrono::microseconds(10),        std::chrono::microseconds(50),
        std::chrono::microseconds(100),       std::chrono::microseconds(500),
        std::chrono::microseconds(1'000),     std::chrono::microseconds(5'000),
        std::chrono::microseconds(10'000),    std::chrono::microseconds(50'000),
        std::chrono::microseconds(100'000),   std::chrono::microseconds(500'000),
        std::chrono::microseconds(1'000'000), std::chrono::microseconds(5'000'000)};

    struct Snapshot {
        std::array<std::uint64_t, kBounds.size() + 1> counts{};  // each bucket's own
        double seconds = 0;                                      // all together

        std::uint64_t count() const noexcept {
            std::uint64_t total = 0;
            for (const std::uint64_t each : counts) total += each;
            return total;
        }
        Snapshot& operator+=(const Snapshot& other) noexcept {
            for (std::size_t i = 0; i < counts.size(); ++i) counts[i] += other.counts[i];
            seconds += other.seconds;
            return *this;
        }
    };

    void add(Duration took) noexcept {
        if (took < Duration::zero()) took = Duration::zero();
        std::size_t bucket = 0;
        while (bucket < kBounds.size() && took > kBounds[bucket]) ++bucket;
        counts_[bucket].add();
        nanoseconds_.add(static_cast<std::uint64_t>(
            std::chrono::duration_cast<std::chrono::nanoseconds>(took).count()));
    }

    Snapshot snapshot() const noexcept {
        Snapshot all;
        for (std::size_t i = 0; i < all.counts.size(); ++i) all.counts[i] = counts_[i].get();
        all.seconds = static_cast<double>(nanoseconds_.get()) * 1e-9;
        return all;
    }

private:
    std::array<Counter, kBounds.size() + 1> counts_;
    Counter nanoseconds_;
};

}  // namespace moonwire
