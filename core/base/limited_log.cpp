#include "core/base/limited_log.hpp"

#include <utility>

namespace moonwire {

bool LimitedLog::admit(TimePoint now, std::uint64_t count) {
    if (!log::enabled(level_)) return false;
    {
        std::lock_guard lock(mutex_);
        if (now < quiet_until_) {
            counted_ += count;
            return false;
        }
        if (counted_ == 0) {
            quiet_until_ = now + interval_;
            counted_since_ = now;
            return true;
        }
        counted_ += count;
    }
    summarise(now);
    return false;
}

void LimitedLog::summarise(TimePoint now) {
    std::uint64_t times = 0;
    double seconds = 0;
    {
        std::lock_guard lock(mutex_);
        if (counted_ == 0 || now < quiet_until_) return;
        times = std::exchange(counted_, 0);
        seconds = std::chrono::duration<double>(now - counted_since_).count();
        quiet_until_ = now + interval_;
        counted_since_ = now;
    }
    log::write(level_, message_ + " (again)",
               {{"times", times}, {"seconds", static_cast<std::uint64_t>(seconds + 0.5)}});
}

}  // namespace moonwire
