#pragma once

#include <cstdint>
#include <mutex>
#include <string>
#include <vector>

#include "core/base/clock.hpp"
#include "core/base/log.hpp"

namespace moonwire {

/// A log line that peers could bring about without end: the first is written at once; those that
/// come within `interval` of it are counted, and one line then says how many they were.
///
/// Any thread. The last ones of a burst are told of by `summarise`, which somebody must call now
/// and then.
class LimitedLog {
public:
    static constexpr Duration kInterval = std::chrono::seconds(10);

    LimitedLog(log::Level level, std::string message, Duration interval = kInterval)
        : level_(level), message_(std::move(message)), interval_(interval) {}

    /// `fields()` makes a std::vector<log::Field>, only if this line is written. It stands for
    /// `count` of its kind.
    template <typename Fields>
    void write(TimePoint now, std::uint64_t count, Fields&& fields) {
        if (!admit(now, count)) return;
        const std::vector<log::Field> made = fields();
        log::write(level_, message_, made.data(), made.size());
    }
    /// Tells of those that were only counted, if it is time.
    void summarise(TimePoint now);

private:
    bool admit(TimePoint now, std::uint64_t count);

    const log::Level level_;
    const std::string message_;
    const Duration interval_;
    std::mutex mutex_;  // guards what follows
    TimePoint quiet_until_{};
    TimePoint counted_since_{};
    std::uint64_t counted_ = 0;
};

}  // namespace moonwire
