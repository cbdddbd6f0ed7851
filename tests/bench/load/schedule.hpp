#pragma once

#include "tests/bench/load/window.hpp"

namespace bench {

/// Sends `options.rate` events a second, each at its own due time whatever became of those before
/// (open loop), through the warm-up and the window; then waits for what is still under way. Events
/// leave in ticks, as a network interface hands packets on in bursts: one at a time, a server would
/// mostly be seen falling asleep and waking up.
/// `send(n, due)` sends the n-th event and returns how many deliveries it asks for.
template <typename Send>
void run_schedule(Loop& loop, const Options& options, Window& window, Send&& send) {
    constexpr std::chrono::seconds kStragglers{2};
    using std::chrono::duration_cast;
    const auto period = std::chrono::duration<double, std::nano>(1e9 / options.rate);
    const std::chrono::microseconds tick(options.tick_us);
    const TimePoint start = Clock::now();
    const TimePoint counts = start + duration_cast<Clock::duration>(Seconds(options.warmup_seconds));
    TimePoint end = TimePoint::max();  // known once the window has begun, however late that is
    std::uint64_t next = 0;
    const auto due = [&] {
        const auto since = duration_cast<Clock::duration>(period * static_cast<double>(next));
        return start + (tick.count() ? since - since % tick : since);
    };
    for (TimePoint now = start; now < end; now = Clock::now()) {
        if (now >= counts && !window.open()) {
            window.begin();
            end = now + duration_cast<Clock::duration>(Seconds(options.seconds));
        }
        for (int burst = 0; due() <= now && burst < 64; ++burst, ++next)
            window.sent(due(), send(next, due()));
        loop.run_until(std::min({due(), end, window.open() ? end : counts}));
    }
    window.end();
    const TimePoint late = Clock::now() + kStragglers;
    while (!window.complete() && Clock::now() < late)
        loop.run_until(Clock::now() + std::chrono::milliseconds(20));
}

}  // namespace bench
