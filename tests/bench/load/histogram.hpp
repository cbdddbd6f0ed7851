#pragma once

#include <algorithm>
#include <bit>
#include <cstdint>
#include <vector>

namespace bench {

/// Counts durations in nanoseconds, each with an error below 1 %: 64 steps a power of two.
class Histogram {
public:
    void add(std::int64_t ns) {
        const auto value = static_cast<std::uint64_t>(std::max<std::int64_t>(ns, 0));
        ++counts_[bucket_of(value)];
        ++total_;
        max_ = std::max(max_, value);
    }
    std::uint64_t total() const { return total_; }
    double max_ms() const { return static_cast<double>(max_) / 1e6; }
    /// `share` from 0 to 1; 0 with nothing counted.
    double quantile_ms(double share) const {
        const auto rank = static_cast<std::uint64_t>(share * static_cast<double>(total_));
        std::uint64_t seen = 0;
        for (std::size_t i = 0; i < counts_.size(); ++i) {
            seen += counts_[i];
            if (seen > rank) return static_cast<double>(middle_of(i)) / 1e6;
        }
        return max_ms();
    }

private:
    static constexpr int kStepBits = 6;

    static std::size_t bucket_of(std::uint64_t value) {
        const int shift = std::max(0, static_cast<int>(std::bit_width(value)) - kStepBits - 1);
        return (static_cast<std::size_t>(shift) << kStepBits) + (value >> shift);
    }
    static std::uint64_t middle_of(std::size_t bucket) {
        if (bucket < (2u << kStepBits)) return bucket;
        const std::size_t shift = (bucket >> kStepBits) - 1;
        const std::uint64_t low = (bucket - (shift << kStepBits)) << shift;
        return low + (std::uint64_t{1} << shift) / 2;
    }

    std::vector<std::uint64_t> counts_ = std::vector<std::uint64_t>(64u << kStepBits);
    std::uint64_t total_ = 0;
    std::uint64_t max_ = 0;
};

}  // namespace bench
