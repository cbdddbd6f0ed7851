#include "core/script/near_name.hpp"

#include <algorithm>
#include <cctype>
#include <vector>

namespace moonwire::script {
namespace {

/// Names longer than this are not compared letter by letter.
constexpr std::size_t kMaxLength = 128;

/// "driver:locationUpdate" and "driver_location_update" are the same words.
std::string words_of(std::string_view name) {
    std::string words;
    for (const char c : name)
        if (std::isalpha(static_cast<unsigned char>(c)))
            words += static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
    return words;
}

}  // namespace

int edit_distance(std::string_view a, std::string_view b) {
    if (a.size() > kMaxLength || b.size() > kMaxLength) return a == b ? 0 : kMaxLength;
    std::vector<int> before(b.size() + 1), last(b.size() + 1), row(b.size() + 1);
    for (std::size_t j = 0; j <= b.size(); ++j) last[j] = static_cast<int>(j);
    for (std::size_t i = 1; i <= a.size(); ++i) {
        row[0] = static_cast<int>(i);
        for (std::size_t j = 1; j <= b.size(); ++j) {
            const int replaced = last[j - 1] + (a[i - 1] == b[j - 1] ? 0 : 1);
            row[j] = std::min({last[j] + 1, row[j - 1] + 1, replaced});
            if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1])
                row[j] = std::min(row[j], before[j - 2] + 1);
        }
        std::swap(before, last);
        std::swap(last, row);
    }
    return last[b.size()];
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
