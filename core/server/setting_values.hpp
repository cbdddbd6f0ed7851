#pragma once

#include <cstdint>
#include <limits>
#include <string>
#include <utility>
#include <vector>

#include "core/base/result.hpp"
#include "core/server/setting_keys.hpp"

namespace moonwire::server {

// A setting's value as what it is to be. From a file it has its own kind; from the environment and
// the command line it is text. Errors say what was expected.
Result<std::int64_t> to_integer(const SettingValue& value, std::int64_t min, std::int64_t max);
Result<bool> to_boolean(const SettingValue& value);
Result<std::string> to_text(const SettingValue& value);
/// A list, or text with commas.
Result<std::vector<std::string>> to_list(const SettingValue& value);

/// Applies a converted value, or passes the conversion's error on.
template <typename T, typename Set>
Result<void> with(Result<T> converted, Set set) {
    if (!converted) return converted.error();
    set(*std::move(converted));
    return {};
}

constexpr std::int64_t kAnyPositive = std::numeric_limits<std::int64_t>::max();
constexpr std::int64_t kDayMs = 24 * 60 * 60 * 1000;

}  // namespace moonwire::server
