#include "core/base/manual_reactor.hpp"

namespace moonwire {

bool ManualReactor::turn() {
    std::vector<Task> batch = std::exchange(posted_.empty() ? turn_end_ : posted_, {});
    for (Task& task : batch) task();
    return !batch.empty();
}

void ManualReactor::advance(Duration by) {
    const TimePoint until = now_ + by;
    settle();
    while (timers_.next() && *timers_.next() <= until) {
        now_ = std::max(now_, *timers_.next());
        timers_.run_due(now_);
        settle();
    }
    now_ = until;
}

}  // namespace moonwire
