#include "core/base/shared_rates.hpp"

#include <utility>

namespace moonwire {

bool SharedRates::take(const std::string& key, TimePoint now) {
    if (!rate_) return true;
    Part& part = parts_[std::hash<std::string>{}(key) % kParts];
    std::lock_guard lock(part.mutex);
    if (part.recent.size() >= kMaxKeys / kParts / 2 || now - part.since >= rate_.refill()) {
        part.older = std::exchange(part.recent, {});
        part.since = now;
    }
    auto found = part.recent.find(key);
    if (found == part.recent.end()) {
        auto node = part.older.extract(key);
        found = node ? part.recent.insert(std::move(node)).position
                     : part.recent.try_emplace(key).first;
    }
    return found->second.take(rate_, now);
}

std::size_t SharedRates::size() const {
    std::size_t size = 0;
    for (const Part& part : parts_) {
        std::lock_guard lock(part.mutex);
        size += part.recent.size() + part.older.size();
    }
    return size;
}

}  // namespace moonwire
