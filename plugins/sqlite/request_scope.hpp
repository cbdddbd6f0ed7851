#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>

#include "core/plugin/api/store.hpp"

namespace moonwire::sqlite {

/// Why an operation can't be done, beside SQLite's own reasons. Thrown within this plugin only.
struct Refused {
    const char* why;
};

/// What a request's operations have in common.
struct Scope {
    std::int64_t space = 0;  // 0: there is none, so there is nothing in it
    plugin::StoreTime now = 0;
};

/// Expired rows that a write at its limit drops at most.
inline constexpr std::int64_t kMadeRoom = 1000;

/// As SQLite has it.
template <typename Enum>
std::int64_t number(Enum value) {
    return static_cast<std::int64_t>(value);
}

inline std::int64_t clamp(std::size_t value) {
    return static_cast<std::int64_t>(std::min<std::size_t>(value, plugin::kNoId));
}

}  // namespace moonwire::sqlite
