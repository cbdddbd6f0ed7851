#include "core/server/setting_values.hpp"

#include <algorithm>
#include <charconv>
#include <limits>
#include <optional>
#include <string_view>

namespace moonwire::server {

Result<std::int64_t> to_integer(const SettingValue& value, std::int64_t min, std::int64_t max) {
    std::optional<std::int64_t> number;
    if (const auto* integer = std::get_if<std::int64_t>(&value)) number = *integer;
    if (const auto* text = std::get_if<std::string>(&value)) {
        std::int64_t parsed = 0;
        const auto [end, error] = std::from_chars(text->data(), text->data() + text->size(), parsed);
        if (error == std::errc() && end == text->data() + text->size()) number = parsed;
    }
    if (!number || *number < min || *number > max) {
        std::string expected = "expected a whole number";
        if (max == std::numeric_limits<std::int64_t>::max())
            expected += " of at least " + std::to_string(min);
        else expected += " from " + std::to_string(min) + " to " + std::to_string(max);
        return Error{expected};
    }
    return *number;
}

Result<bool> to_boolean(const SettingValue& value) {
    if (const auto* boolean = std::get_if<bool>(&value)) return *boolean;
    if (const auto* text = std::get_if<std::string>(&value)) {
        if (*text == "true" || *text == "1" || *text == "on") return true;
        if (*text == "false" || *text == "0" || *text == "off") return false;
    }
    return Error{"expected true or false"};
}

Result<std::string> to_text(const SettingValue& value) {
    if (const auto* text = std::get_if<std::string>(&value)) return *text;
    return Error{"expected a string"};
}

Result<std::vector<std::string>> to_list(const SettingValue& value) {
    if (const auto* list = std::get_if<std::vector<std::string>>(&value)) return *list;
    const auto* text = std::get_if<std::string>(&value);
    if (!text) return Error{"expected a list of strings"};
    std::vector<std::string> list;
    std::string_view rest = *text;
    while (!rest.empty()) {
        const std::size_t end = std::min(rest.find(','), rest.size());
        std::string_view item = rest.substr(0, end);
        rest.remove_prefix(std::min(end + 1, rest.size()));
        while (item.starts_with(' ')) item.remove_prefix(1);
        while (item.ends_with(' ')) item.remove_suffix(1);
        if (!item.empty()) list.emplace_back(item);
    }
    return list;
}

}  // namespace moonwire::server
