#include "core/script/cron.hpp"

#include <algorithm>
#include <bit>
#include <charconv>
#include <chrono>
#include <string>
#include <vector>

namespace moonwire::script {
namespace {

using std::chrono::days;
using std::chrono::sys_days;
using std::chrono::year_month_day;

constexpr std::int64_t kMinute = 60, kHour = 60 * kMinute, kDay = 24 * kHour;
/// The days of the week come round to the same dates within 40 years, even over a 2100.
constexpr int kSearchYears = 41;

struct Field {
    const char* name;
    unsigned min, max;
    std::string_view names;  // three letters each, the first is `min`
};
constexpr Field kFields[] = {{"minute", 0, 59, {}},
                             {"hour", 0, 23, {}},
                             {"day of month", 1, 31, {}},
                             {"month", 1, 12, "janfebmaraprmayjunjulaugsepoctnovdec"},
                             {"day of week", 0, 7, "sunmontuewedthufrisat"}};

constexpr std::pair<std::string_view, std::string_view> kNicknames[] = {
    {"@hourly", "0 * * * *"},  {"@daily", "0 0 * * *"},   {"@midnight", "0 0 * * *"},
    {"@weekly", "0 0 * * 0"},  {"@monthly", "0 0 1 * *"}, {"@yearly", "0 0 1 1 *"},
    {"@annually", "0 0 1 1 *"}};

std::string lower(std::string_view text) {
    std::string lowered(text);
    for (char& c : lowered)
        if (c >= 'A' && c <= 'Z') c = static_cast<char>(c + ('a' - 'A'));
    return lowered;
}

std::vector<std::string_view> split(std::string_view text, std::string_view separators,
                                    bool keep_empty) {
    std::vector<std::string_view> parts;
    for (std::size_t at = 0; at <= text.size();) {
        const std::size_t end = std::min(text.find_first_of(separators, at), text.size());
        if (keep_empty || end > at) parts.push_back(text.substr(at, end - at));
        at = end + 1;
    }
    return parts;
}

Error wrong(const Field& field, std::string_view text, const std::string& why) {
    return {std::string(field.name) + ": '" + std::string(text) + "' " + why};
}

std::string bounds(const Field& field) {
    return "is not from " + std::to_string(field.min) + " to " + std::to_string(field.max);
}

Result<unsigned> read_value(const Field& field, std::string_view text) {
    if (text.size() == 3)
        for (std::size_t i = 0; i < field.names.size(); i += 3)
            if (field.names.substr(i, 3) == text) return field.min + static_cast<unsigned>(i / 3);
    unsigned value = 0;
    const char* end = text.data() + text.size();
    const auto [after, error] = std::from_chars(text.data(), end, value);
    if (text.empty() || after != end) return wrong(field, text, "is no number");
    if (error != std::errc() || value < field.min || value > field.max)
        return wrong(field, text, bounds(field));
    return value;
}

/// One element of a list: `*`, `a`, `a-b`, with `/step` behind the first and last.
Result<std::uint64_t> read_element(const Field& field, std::string_view text) {
    const std::string_view range = text.substr(0, text.find('/'));
    unsigned first = field.min, last = field.max, step = 1;
    const auto dash = range.find('-');
    if (range != "*") {
        auto from = read_value(field, range.substr(0, dash));
        if (!from) return from.error();
        first = last = *from;
        if (dash != std::string_view::npos) {
            auto to = read_value(field, range.substr(dash + 1));
            if (!to) return to.error();
            last = *to;
            if (last < first) return wrong(field, range, "goes backwards");
        }
    }
    if (range.size() < text.size()) {
        const std::string_view by = text.substr(range.size() + 1);
        const char* end = by.data() + by.size();
        const auto [after, error] = std::from_chars(by.data(), end, step);
        if (by.empty() || error != std::errc() || after != end || step == 0 || step > field.max)
            return wrong(field, text, "has a step that is not from 1 to " +
                                          std::to_string(field.max));
        if (range != "*" && dash == std::string_view::npos)
            return wrong(field, text, "has a step without a range (as in 5-59/10)");
    }
    std::uint64_t bits = 0;
    for (unsigned value = first; value <= last; value += step) bits |= std::uint64_t{1} << value;
    return bits;
}

Result<std::uint64_t> read_field(const Field& field, std::string_view text) {
    std::uint64_t bits = 0;
    for (const std::string_view element : split(text, ",", true)) {
        auto read = read_element(field, element);
        if (!read) return read.error();
        bits |= *read;
    }
    return bits;
}

}  // namespace

Result<CronTimes> CronTimes::parse(std::string_view expression) {
    std::string text = lower(expression);
    if (text.starts_with('@')) {
        const auto known = std::find_if(std::begin(kNicknames), std::end(kNicknames),
                                        [&](const auto& each) { return each.first == text; });
        if (known == std::end(kNicknames))
            return Error{"'" + text +
                         "' is none of @hourly, @daily, @midnight, @weekly, @monthly, @yearly and "
                         "@annually"};
        text = known->second;
    }
    const auto parts = split(text, " \t", false);
    if (parts.size() != std::size(kFields))
        return Error{"five fields expected (minute, hour, day of month, month, day of week), not " +
                     std::to_string(parts.size())};
    std::uint64_t bits[std::size(kFields)];
    for (std::size_t i = 0; i < parts.size(); ++i) {
        auto read = read_field(kFields[i], parts[i]);
        if (!read) return read.error();
        bits[i] = *read;
    }
    CronTimes times;
    times.minutes_ = bits[0];
    times.hours_ = static_cast<std::uint32_t>(bits[1]);
    times.days_ = static_cast<std::uint32_t>(bits[2]);
    times.months_ = static_cast<std::uint32_t>(bits[3]);
    times.weekdays_ = static_cast<std::uint32_t>((bits[4] | bits[4] >> 7) & 0x7f);
    times.either_day_ = !parts[2].starts_with('*') && !parts[4].starts_with('*');
    if (!times.find(0))
        return wrong(kFields[2], parts[2],
                     "never comes in month '" + std::string(parts[3]) + "'");
    return times;
}

bool CronTimes::has_day(unsigned day, unsigned weekday) const {
    const bool by_date = days_ >> day & 1, by_weekday = weekdays_ >> weekday & 1;
    return either_day_ ? by_date || by_weekday : by_date && by_weekday;
}

std::optional<std::int64_t> CronTimes::find(std::int64_t seconds) const {
    using std::chrono::floor;
    const auto after = std::chrono::sys_seconds(std::chrono::seconds(seconds));
    sys_days day = floor<days>(after);
    // The minute of the day to begin with; the last one is over with the day.
    std::int64_t minute = (after - day).count() / kMinute + 1;
    const auto last_year = year_month_day(day).year() + std::chrono::years(kSearchYears);
    while (true) {
        const year_month_day date(day);
        if (date.year() > last_year) return std::nullopt;
        if (!(months_ >> unsigned(date.month()) & 1)) {
            day = sys_days((date.year() / date.month() + std::chrono::months(1)) / 1);
            minute = 0;
            continue;
        }
        if (has_day(unsigned(date.day()), std::chrono::weekday(day).c_encoding())) {
            for (; minute < kDay / kMinute; ++minute) {
                if (!(hours_ >> (minute / 60) & 1)) {
                    minute = minute / 60 * 60 + 59;  // to the next hour
                    continue;
                }
                if (minutes_ >> (minute % 60) & 1)
                    return day.time_since_epoch().count() * kDay + minute * kMinute;
            }
        }
        day += days(1);
        minute = 0;
    }
}

std::int64_t CronTimes::next(std::int64_t seconds) const {
    // parse() saw that there is one.
    return find(seconds).value_or(seconds + kDay);
}

}  // namespace moonwire::script
