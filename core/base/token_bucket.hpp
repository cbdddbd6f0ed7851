#pragma once

#include <algorithm>
#include <chrono>
#include <cstdint>

#include "core/base/clock.hpp"

namespace moonwire {

/// How often something may happen: at most `count` times at once, and as many again in any
/// `seconds`, in the long run. Without a count there is no limit. A value; any thread.
class Rate {
public:
    Rate() noexcept = default;
    /// `count` at least 1, `seconds` above 0, both finite.
    Rate(double count, double seconds) noexcept
        : full_ns_(std::min(seconds, kMaxSeconds) * 1e9), token_ns_(full_ns_ / count) {}

    explicit operator bool() const noexcept { return full_ns_ > 0; }
    /// After so long without a taking everything is there again.
    Duration refill() const noexcept {
        return std::chrono::nanoseconds(static_cast<std::int64_t>(full_ns_));
    }

private:
    friend class TokenBucket;
    static constexpr double kMaxSeconds = 1e9;  // what nanoseconds can count, with room to spare

    double full_ns_ = 0;   // for an empty bucket to fill
    double token_ns_ = 0;  // for one token
};

/// What is left of a rate, as the moment when the bucket will be full again: eight bytes, and no
/// timer. One thread.
class TokenBucket {
public:
    /// Takes `n` tokens; false, and nothing is taken, if there is not even one. What takes more
    /// than is there goes through all the same and leaves a debt that those after it wait for.
    bool take(const Rate& rate, TimePoint now, std::uint64_t n = 1) noexcept {
        const TimePoint from = std::max(full_at_, now);
        const auto missing = static_cast<double>(
            std::chrono::duration_cast<std::chrono::nanoseconds>(from - now).count());
        if (missing + rate.token_ns_ > rate.full_ns_) return false;
        full_at_ = from + std::chrono::nanoseconds(static_cast<std::int64_t>(
                              std::min(rate.token_ns_ * static_cast<double>(n), kMaxDebtNs)));
        return true;
    }

private:
    static constexpr double kMaxDebtNs = 1e18;

    TimePoint full_at_{};
};

}  // namespace moonwire
