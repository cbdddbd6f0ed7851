#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "core/base/clock.hpp"
#include "core/base/function.hpp"

namespace moonwire {

/// Names a pending timer; the value-initialised id names none.
struct TimerId {
    std::uint32_t slot = 0;
    std::uint32_t generation = 0;
    explicit operator bool() const noexcept { return generation != 0; }
};

/// Every timer of one reactor in one binary heap: O(log n) to add and cancel, no allocation a timer
/// once warm. One thread. A cancelled or fired id is stale and safe to cancel again.
class TimerQueue {
public:
    TimerId add(TimePoint when, Task task);
    /// Drops the task without running it. Returns whether the timer was still pending.
    bool cancel(TimerId id);
    std::optional<TimePoint> next() const;
    /// Runs every timer due at `now`, earliest first. Tasks may add and cancel timers; a timer
    /// added while running is left for the next call, so a zero delay can't hold the loop.
    void run_due(TimePoint now);
    std::size_t size() const noexcept { return heap_.size(); }

private:
    struct Slot {
        Task task;
        std::uint32_t generation = 0;  // odd while pending
        std::uint32_t position = 0;
    };
    struct Entry {
        TimePoint when;
        std::uint64_t order;  // equal times fire in the order they were added
        std::uint32_t slot;
        bool operator<(const Entry& other) const {
            return when != other.when ? when < other.when : order < other.order;
        }
    };

    void place(std::size_t position, Entry entry);
    void sift_up(std::size_t position);
    void sift_down(std::size_t position);
    Task remove(std::size_t position);

    std::vector<Entry> heap_;
    std::vector<Slot> slots_;
    std::vector<std::uint32_t> free_;
    std::uint64_t order_ = 0;
};

}  // namespace moonwire
