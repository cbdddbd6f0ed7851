#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

#include "core/base/result.hpp"

namespace moonwire::script {

/// The times that a cron expression names, in UTC.
///
/// Five fields as in Vixie cron: minute, hour, day of month, month, day of week; each `*`, a
/// number, a range, a list of them, with a step behind `*` or a range; months and days by their
/// English names too, Sunday is 0 or 7. Where neither day field begins with `*`, either of them is enough.
/// Or `@hourly`, `@daily`, `@midnight`, `@weekly`, `@monthly`, `@yearly`, `@annually`.
class CronTimes {
public:
    /// The error names the field ("hour: 24 is not from 0 to 23"). A date that never comes, as the
    /// 30th of February, is an error.
    static Result<CronTimes> parse(std::string_view expression);

    /// The first of them after `seconds` since 1970 (a whole minute).
    std::int64_t next(std::int64_t seconds) const;

private:
    CronTimes() = default;
    std::optional<std::int64_t> find(std::int64_t seconds) const;
    bool has_day(unsigned day, unsigned weekday) const;

    // A bit a value.
    std::uint64_t minutes_ = 0;
    std::uint32_t hours_ = 0, days_ = 0, months_ = 0, weekdays_ = 0;
    bool either_day_ = false;  // both day fields are restricted
};

}  // namespace moonwire::script
