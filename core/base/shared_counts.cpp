#include "core/base/shared_counts.hpp"

namespace moonwire {

SharedCounts::Place SharedCounts::take(const std::string& key) {
    Part& part = part_of(key);
    std::lock_guard lock(part.mutex);
    Entry& entry = *part.entries.try_emplace(key, 0).first;
    if (entry.second >= limit_) {
        if (entry.second == 0) part.entries.erase(key);
        return {};
    }
    ++entry.second;
    return {shared_from_this(), entry};
}

void SharedCounts::give_back(Entry& entry) {
    Part& part = part_of(entry.first);
    std::lock_guard lock(part.mutex);
    if (--entry.second == 0) part.entries.erase(part.entries.find(entry.first));
}

std::size_t SharedCounts::size() const {
    std::size_t size = 0;
    for (const Part& part : parts_) {
        std::lock_guard lock(part.mutex);
        size += part.entries.size();
    }
    return size;
}

}  // namespace moonwire
