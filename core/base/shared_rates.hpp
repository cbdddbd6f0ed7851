#pragma once

#include <array>
#include <cstddef>
#include <mutex>
#include <string>
#include <unordered_map>

#include "core/base/token_bucket.hpp"

namespace moonwire {

/// One rate for each key, over all reactors.
///
/// Any thread; locks one of many parts, so it is for what happens once in a connection's life. It
/// keeps at most about `kMaxKeys`: whoever has taken nothing for as long as a bucket needs to fill
/// is forgotten without a loss; when more than that come in that time, those that have been quiet
/// the longest are, and begin with a full bucket when they return.
class SharedRates {
public:
    static constexpr std::size_t kMaxKeys = 128 * 1024;

    explicit SharedRates(Rate rate) : rate_(rate) {}

    /// False if the key has nothing left.
    bool take(const std::string& key, TimePoint now);
    /// For tests and figures.
    std::size_t size() const;

private:
    static constexpr std::size_t kParts = 64;
    using Buckets = std::unordered_map<std::string, TokenBucket>;
    /// Two halves: what is used moves to the recent one; the other one is dropped as a whole.
    struct alignas(64) Part {
        mutable std::mutex mutex;
        Buckets recent, older;
        TimePoint since{};  // when the recent one was begun
    };

    const Rate rate_;
    std::array<Part, kParts> parts_;
};

}  // namespace moonwire
