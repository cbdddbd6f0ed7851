#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <unordered_map>

#include "core/base/reactor.hpp"
#include "core/script/cron.hpp"
#include "core/script/origin.hpp"

namespace moonwire::script {

class Generation;

/// The `after`, `every` and `cron` of one generation. Home reactor.
///
/// Those made while its files load start when the generation takes over, and all end when it is
/// replaced. A run that outlasts the interval makes its timer skip: it never overlaps itself.
class Timers {
public:
    /// When to fire: once after `delay`, then every `interval` unless that is zero; or at the wall
    /// clock's `times`.
    struct Beat {
        Duration delay{}, interval{};
        std::optional<CronTimes> times{};
    };

    explicit Timers(Generation& generation) : generation_(generation) {}

    /// `slot` is the function's in the generation, `origin` where the script asked for it.
    std::uint64_t add(int slot, const Beat& beat, OriginPtr origin);
    /// Whether it was still to fire.
    bool cancel(std::uint64_t id);
    std::size_t size() const noexcept { return timers_.size(); }

    void start();
    void cancel_all();

private:
    struct Timer {
        int slot;
        Beat beat;
        OriginPtr origin;
        TimePoint due{};                       // of after and every
        std::int64_t last_time = 0, time = 0;  // of cron: the wall clock's
        TimerId armed{};
        bool running = false;

        bool repeats() const { return beat.times || beat.interval > Duration::zero(); }
    };
    void arm(std::uint64_t id, Timer& timer);
    Duration until_time(Timer& timer);
    void fire(std::uint64_t id);

    Generation& generation_;
    std::unordered_map<std::uint64_t, Timer> timers_;
    std::uint64_t last_id_ = 0;
    bool started_ = false;
};

}  // namespace moonwire::script
