#pragma once

#include <chrono>
#include <cstdint>
#include <mutex>
#include <string>
#include <string_view>

#include "core/plugin/api/host.hpp"

namespace moonwire::redis {

/// What may happen to every message is logged once in ten seconds. Any thread.
class LimitedLog {
public:
    explicit LimitedLog(plugin::Host& host) : host_(host) {}

    /// A warning, with how often it was called for since the last line.
    void warn(std::string_view message, std::string_view name, std::string_view value) {
        std::lock_guard lock(mutex_);
        ++times_;
        const auto now = std::chrono::steady_clock::now();
        if (now < next_) return;
        host_.log(plugin::LogLevel::warn, message,
                  {{name, value}, {"times", std::to_string(times_)}});
        next_ = now + std::chrono::seconds(10);
        times_ = 0;
    }

private:
    plugin::Host& host_;
    std::mutex mutex_;  // guards what follows
    std::chrono::steady_clock::time_point next_{};
    std::uint64_t times_ = 0;
};

}  // namespace moonwire::redis
