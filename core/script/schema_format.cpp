#include <algorithm>
#include <array>
#include <utility>

#include "core/script/schema_node.hpp"

namespace moonwire::script {
namespace {

constexpr std::array<std::pair<std::string_view, SchemaFormat>, 4> kFormats{
    {{"date-time", SchemaFormat::date_time},
     {"uuid", SchemaFormat::uuid},
     {"email", SchemaFormat::email},
     {"uri", SchemaFormat::uri}}};

bool is_digit(char c) { return c >= '0' && c <= '9'; }
bool is_letter(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); }

/// Takes exactly `count` digits off the front; -1 if they are not there.
int take_digits(std::string_view& text, std::size_t count) {
    if (text.size() < count) return -1;
    int value = 0;
    for (std::size_t i = 0; i < count; ++i) {
        if (!is_digit(text[i])) return -1;
        value = value * 10 + (text[i] - '0');
    }
    text.remove_prefix(count);
    return value;
}

bool take(std::string_view& text, std::string_view any_of) {
    if (text.empty() || any_of.find(text[0]) == any_of.npos) return false;
    text.remove_prefix(1);
    return true;
}

int days_in(int year, int month) {
    constexpr std::array<int, 12> kDays{31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    const bool leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
    return month == 2 && leap ? 29 : kDays[static_cast<std::size_t>(month - 1)];
}

/// RFC 3339, and ISO 8601's "+0200" and "+02" beside "+02:00".
bool is_date_time(std::string_view text) {
    const int year = take_digits(text, 4);
    if (year < 0 || !take(text, "-")) return false;
    const int month = take_digits(text, 2);
    if (month < 1 || month > 12 || !take(text, "-")) return false;
    const int day = take_digits(text, 2);
    if (day < 1 || day > days_in(year, month) || !take(text, "Tt ")) return false;
    const int hour = take_digits(text, 2);
    if (hour < 0 || hour > 23 || !take(text, ":")) return false;
    const int minute = take_digits(text, 2);
    if (minute < 0 || minute > 59 || !take(text, ":")) return false;
    const int second = take_digits(text, 2);
    if (second < 0 || second > 60) return false;  // 60: a leap second
    if (take(text, ".")) {
        if (take_digits(text, 1) < 0) return false;
        while (take_digits(text, 1) >= 0) continue;
    }
    if (take(text, "Zz")) return text.empty();
    if (!take(text, "+-")) return false;
    const int offset_hours = take_digits(text, 2);
    if (offset_hours < 0 || offset_hours > 23) return false;
    if (text.empty()) return true;
    take(text, ":");
    const int offset_minutes = take_digits(text, 2);
    return offset_minutes >= 0 && offset_minutes <= 59 && text.empty();
}

bool is_uuid(std::string_view text) {
    if (text.size() != 36) return false;
    for (std::size_t i = 0; i < text.size(); ++i) {
        const bool dash = i == 8 || i == 13 || i == 18 || i == 23;
        const char c = text[i];
        const bool hex = is_digit(c) || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F');
        if (dash ? c != '-' : !hex) return false;
    }
    return true;
}

/// What HTML's <input type=email> takes, with a dot in the domain not required, as there.
bool is_email(std::string_view text) {
    constexpr std::string_view kLocal = ".!#$%&'*+/=?^_`{|}~-";
    const std::size_t at = text.find('@');
    if (at == text.npos || at == 0 || at > 64 || text.size() > 254) return false;
    for (const char c : text.substr(0, at))
        if (!is_digit(c) && !is_letter(c) && kLocal.find(c) == kLocal.npos) return false;
    std::string_view domain = text.substr(at + 1);
    for (;;) {
        const std::size_t dot = std::min(domain.find('.'), domain.size());
        const std::string_view label = domain.substr(0, dot);
        if (label.empty() || label.size() > 63 || label.front() == '-' || label.back() == '-')
            return false;
        for (const char c : label)
            if (!is_digit(c) && !is_letter(c) && c != '-') return false;
        if (dot == domain.size()) return true;
        domain.remove_prefix(dot + 1);
    }
}

/// An absolute URI (RFC 3986): a scheme, something after it, and only characters that a URI has.
bool is_uri(std::string_view text) {
    constexpr std::string_view kOthers = "-._~:/?#[]@!$&'()*+,;=%";
    const std::size_t colon = text.find(':');
    if (colon == text.npos || colon + 1 == text.size() || colon == 0 || !is_letter(text[0]))
        return false;
    for (const char c : text.substr(0, colon))
        if (!is_digit(c) && !is_letter(c) && c != '+' && c != '-' && c != '.') return false;
    if (text.substr(colon + 1) == "//") return false;
    for (const char c : text.substr(colon + 1))
        if (!is_digit(c) && !is_letter(c) && kOthers.find(c) == kOthers.npos) return false;
    return true;
}

}  // namespace

std::optional<SchemaFormat> parse_schema_format(std::string_view name) {
    for (const auto& [known, format] : kFormats)
        if (known == name) return format;
    return std::nullopt;
}

std::string_view schema_format_name(SchemaFormat format) {
    for (const auto& [name, known] : kFormats)
        if (known == format) return name;
    return {};
}

bool matches_format(SchemaFormat format, std::string_view text) {
    switch (format) {
        case SchemaFormat::none: return true;
        case SchemaFormat::date_time: return is_date_time(text);
        case SchemaFormat::uuid: return is_uuid(text);
        case SchemaFormat::email: return is_email(text);
        case SchemaFormat::uri: return is_uri(text);
    }
    return false;
}

}  // namespace moonwire::script
