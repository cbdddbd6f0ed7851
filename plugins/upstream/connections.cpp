#include "plugins/upstream/connections.hpp"

#include <algorithm>

namespace moonwire::upstream {

void Connections::settle(const std::string& nsp, std::vector<Wanted> wanted) {
    std::vector<std::shared_ptr<Connection>> fresh, stale;
    {
        std::lock_guard lock(mutex_);
        std::map<Key, std::shared_ptr<Connection>> kept;
        for (Wanted& each : wanted) {
            const Key key(nsp, each.name);
            const auto found = open_.find(key);
            if (found != open_.end() && same_options(found->second->wanted(), each)) {
                kept.insert(open_.extract(found));
                continue;
            }
            const auto made = std::make_shared<Connection>(
                host_, nsp, std::move(each), [this](Connection& closed) { forget(closed); });
            kept[key] = made;
            fresh.push_back(made);
        }
        // What is left of the namespace's is not wanted as it is.
        for (auto each = open_.lower_bound({nsp, {}});
             each != open_.end() && each->first.first == nsp; each = open_.erase(each))
            stale.push_back(std::move(each->second));
        open_.merge(kept);
        closing_.insert(closing_.end(), stale.begin(), stale.end());
    }
    for (const auto& each : stale) each->close();
    for (const auto& each : fresh) each->open();
}

std::shared_ptr<Connection> Connections::find(const std::string& nsp,
                                              const std::string& name) const {
    std::lock_guard lock(mutex_);
    const auto found = open_.find({nsp, name});
    return found == open_.end() ? nullptr : found->second;
}

void Connections::drain() {
    std::lock_guard lock(mutex_);
    for (const auto& [key, each] : open_) each->drain();
}

bool Connections::close(std::chrono::milliseconds patience) {
    std::vector<std::shared_ptr<Connection>> stale;
    {
        std::lock_guard lock(mutex_);
        for (auto& [key, each] : std::exchange(open_, {})) stale.push_back(each);
        closing_.insert(closing_.end(), stale.begin(), stale.end());
    }
    for (const auto& each : stale) each->close();
    std::unique_lock lock(mutex_);
    return closed_.wait_for(lock, patience, [this] { return closing_.empty(); });
}

void Connections::forget(Connection& connection) {
    std::shared_ptr<Connection> last;  // goes when the mutex is free again
    std::lock_guard lock(mutex_);
    const auto found = std::find_if(closing_.begin(), closing_.end(),
                                    [&](const auto& each) { return each.get() == &connection; });
    if (found == closing_.end()) return;
    last = std::move(*found);
    closing_.erase(found);
    closed_.notify_all();
}

}  // namespace moonwire::upstream
