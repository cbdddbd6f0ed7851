#pragma once

#include <ctime>
#include <string>

#include "tests/bench/load/histogram.hpp"
#include "tests/bench/load/loop.hpp"
#include "tests/bench/load/options.hpp"
#include "tests/bench/load/server_usage.hpp"

namespace bench {

/// The seconds of a run that count: what was sent and came back in them, and what the server and
/// this program needed for it.
class Window {
public:
    explicit Window(const Options& options) : options_(options) {}

    void begin();
    void end();
    bool open() const { return open_; }
    bool over() const { return over_; }

    /// An event that was due within the window, with so many deliveries to follow.
    void sent(TimePoint due, std::size_t deliveries);
    /// Something came, at `now`, of what was due at `due`.
    void delivered(TimePoint due, TimePoint now) {
        if (open_) ++in_window_;
        if (due < begin_ || (over_ && due >= end_)) return;
        ++delivered_;
        latency_.add((now - due).count());
    }
    bool complete() const { return delivered_ >= expected_; }

    /// The run's figures, as JSON.
    std::string report(std::size_t connections) const;

    std::uint64_t resident_before_kb = 0;  // idle
    std::size_t idle_connections = 0;

private:
    const Options& options_;
    bool open_ = false, over_ = false;
    TimePoint begin_ = TimePoint::max(), end_;
    ServerUsage usage_before_, usage_after_;
    std::clock_t own_cpu_before_ = 0, own_cpu_after_ = 0;
    std::uint64_t sent_ = 0, expected_ = 0;
    std::uint64_t in_window_ = 0;  // came while it was open, whenever it was sent
    std::uint64_t delivered_ = 0;  // of what was due in it, whenever it came
    Histogram latency_, lateness_;
};

}  // namespace bench
