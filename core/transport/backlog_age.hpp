#pragma once

#include <cstddef>
#include <vector>

#include "core/base/clock.hpp"

namespace moonwire::transport {

/// Since when the oldest byte of a queue that can't be written has waited, to an eighth of the
/// limit (a byte may seem so much older than it is): at most some nine marks, whatever is queued.
class BacklogAge {
public:
    explicit BacklogAge(Duration limit) : step_(limit / 8) {}

    void queued(std::size_t bytes, TimePoint now) {
        if (marks_.empty() || now - marks_.back().since >= step_) marks_.push_back({0, now});
        marks_.back().bytes += bytes;
    }
    /// The oldest ones have gone.
    void sent(std::size_t bytes) {
        while (bytes > 0 && !marks_.empty()) {
            if (bytes < marks_.front().bytes) {
                marks_.front().bytes -= bytes;
                return;
            }
            bytes -= marks_.front().bytes;
            marks_.erase(marks_.begin());
        }
    }
    bool empty() const noexcept { return marks_.empty(); }
    /// Not while it is empty.
    TimePoint oldest() const { return marks_.front().since; }

private:
    struct Mark {
        std::size_t bytes;
        TimePoint since;
    };
    const Duration step_;
    std::vector<Mark> marks_;
};

}  // namespace moonwire::transport
