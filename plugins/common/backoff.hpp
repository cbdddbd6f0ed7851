#pragma once

#include <algorithm>
#include <chrono>
#include <random>

namespace moonwire::plugins {

/// How long to wait before the next attempt: twice as long each time, up to a limit, and by chance
/// up to a quarter less, so that many that lost the same server do not return in step. One thread.
class Backoff {
public:
    using Duration = std::chrono::milliseconds;
    using Time = std::chrono::steady_clock::time_point;

    static constexpr std::chrono::seconds kSteady{5};

    Backoff(Duration first, Duration limit) : first_(first), limit_(std::max(first, limit)) {}

    Duration next() {
        const Duration whole = std::min<Duration>(limit_, first_ * (1LL << std::min(tries_, 20)));
        ++tries_;
        const double share = std::uniform_real_distribution<>(0.75, 1)(random_);
        return std::chrono::duration_cast<Duration>(whole * share);
    }
    void reset() { tries_ = 0; }
    /// Begins anew only after what was attempted at `since` held for a while: what fails again at
    /// once keeps its pace.
    void held(Time since, Time now) {
        if (now - since >= std::min<Duration>(limit_, kSteady)) reset();
    }

private:
    const Duration first_, limit_;
    int tries_ = 0;
    std::minstd_rand random_{std::random_device{}()};
};

}  // namespace moonwire::plugins
