#pragma once

#include <cstddef>
#include <cstdint>
#include <unordered_map>

#include "core/base/reactor.hpp"

namespace moonwire::script {

class Generation;

/// The `after` and `every` of one generation. Home reactor.
///
/// Those made while its files load start when the generation takes over, and all end when it is
/// replaced. A run of `every` that outlasts the interval makes it skip: it never overlaps itself.
class Timers {
public:
    explicit Timers(Generation& generation) : generation_(generation) {}

    /// `slot` is the function's in the generation. A zero interval fires once.
    std::uint64_t add(int slot, Duration delay, Duration interval);
    /// Whether it was still to fire.
    bool cancel(std::uint64_t id);
    std::size_t size() const noexcept { return timers_.size(); }

    void start();
    void cancel_all();

private:
    struct Timer {
        int slot;
        Duration delay, interval;
        TimePoint due{};
        TimerId armed{};
        bool running = false;
    };
    void arm(std::uint64_t id, Timer& timer);
    void fire(std::uint64_t id);

    Generation& generation_;
    std::unordered_map<std::uint64_t, Timer> timers_;
    std::uint64_t last_id_ = 0;
    bool started_ = false;
};

}  // namespace moonwire::script
