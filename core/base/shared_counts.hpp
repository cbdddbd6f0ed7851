#pragma once

#include <array>
#include <cstddef>
#include <memory>
#include <mutex>
#include <string>
#include <unordered_map>
#include <utility>

namespace moonwire {

/// How many of something each key has, at most `limit`, over all reactors.
///
/// Any thread; locks one of many parts, so it is for what happens once in a connection's life. Its
/// size is that of what is held: there is no entry for a key that has nothing.
class SharedCounts : public std::enable_shared_from_this<SharedCounts> {
    using Entry = std::pair<const std::string, std::size_t>;

public:
    /// A place under a key's limit, given back when destroyed, on whichever thread. Empty where
    /// nothing is limited.
    class Place {
    public:
        Place() noexcept = default;
        Place(Place&& other) noexcept
            : counts_(std::move(other.counts_)), entry_(std::exchange(other.entry_, nullptr)) {}
        Place& operator=(Place&& other) noexcept {
            std::swap(counts_, other.counts_);
            std::swap(entry_, other.entry_);
            return *this;
        }
        ~Place() {
            if (entry_) counts_->give_back(*entry_);
        }
        explicit operator bool() const noexcept { return entry_ != nullptr; }

    private:
        friend class SharedCounts;
        Place(std::shared_ptr<SharedCounts> counts, Entry& entry) noexcept
            : counts_(std::move(counts)), entry_(&entry) {}

        std::shared_ptr<SharedCounts> counts_;
        Entry* entry_ = nullptr;  // stays where it is as long as it counts something
    };

    /// Owned by shared_ptr: places outlive whoever made it.
    explicit SharedCounts(std::size_t limit) : limit_(limit) {}

    /// An empty place if the key has as many as it may.
    Place take(const std::string& key);
    /// Keys that have something. For tests and figures.
    std::size_t size() const;

private:
    static constexpr std::size_t kParts = 64;
    struct alignas(64) Part {
        mutable std::mutex mutex;
        std::unordered_map<std::string, std::size_t> entries;
    };

    Part& part_of(const std::string& key) noexcept {
        return parts_[std::hash<std::string>{}(key) % kParts];
    }
    void give_back(Entry& entry);

    const std::size_t limit_;
    std::array<Part, kParts> parts_;
};

}  // namespace moonwire
