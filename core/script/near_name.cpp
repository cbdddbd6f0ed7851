#include "core/script/near_name.hpp"

#include <algorithm>
#include <array>
#include <cctype>

namespace moonwire::script {
namespace {

constexpr std::size_t kLongestName = 64;  // that is compared letter by letter

/// "driver:locationUpdate" and "driver_location_update" are the same words.
std::string words_of(std::string_view name) {
    std::string words;
    for (const char c : name)
        if (std::isalpha(static_cast<unsigned char>(c)))
            words += static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
    return words;
}

}  // namespace

std::size_t edit_distance(std::string_view left, std::string_view right) {
    if (left.size() > kLongestName || right.size() > kLongestName)
        return left == right ? 0 : kLongestName;
    std::array<std::array<std::size_t, kLongestName + 1>, 3> rows{};
    for (std::size_t j = 0; j <= right.size(); ++j) rows[0][j] = j;
    for (std::size_t i = 1; i <= left.size(); ++i) {
        auto& row = rows[i % 3];
        const auto& above = rows[(i + 2) % 3];
        const auto& before = rows[(i + 1) % 3];
        row[0] = i;
        for (std::size_t j = 1; j <= right.size(); ++j) {
            row[j] = std::min({above[j] + 1, row[j - 1] + 1,
                               above[j - 1] + (left[i - 1] == right[j - 1] ? 0 : 1)});
            if (i > 1 && j > 1 && left[i - 1] == right[j - 2] && left[i - 2] == right[j - 1])
                row[j] = std::min(row[j], before[j - 2] + 1);
        }
    }
    return rows[left.size() % 3][right.size()];
}

bool is_slip_of(std::string_view name, std::string_view other) {
    constexpr std::size_t kShortest = 5, kLong = 8;  // letters: what may differ by one, and by two
    const std::size_t length = std::min(name.size(), other.size());
    if (length < kShortest || name == other) return false;
    if (name.starts_with(other) || other.starts_with(name) || name.ends_with(other) ||
        other.ends_with(name))
        return false;
    if (words_of(name) == words_of(other)) return false;
    return edit_distance(name, other) <= (length >= kLong ? 2 : 1);
}

}  // namespace moonwire::script
