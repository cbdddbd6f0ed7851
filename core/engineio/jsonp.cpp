#include "core/engineio/jsonp.hpp"

#include <algorithm>

#include "core/base/json_text.hpp"
#include "core/base/url.hpp"

namespace moonwire::engineio::jsonp {
namespace {

/// JSON is not quite JavaScript: old engines end a line at U+2028 and U+2029.
void append_javascript(std::string& out, std::string_view json) {
    constexpr std::string_view kBothBegin = "\xe2\x80";
    for (;;) {
        const std::size_t at = json.find(kBothBegin);
        out += json.substr(0, at);
        if (at == std::string_view::npos) return;
        json.remove_prefix(at);
        if (json[2] == '\xa8') out += "\\u2028";
        else if (json[2] == '\xa9') out += "\\u2029";
        else out += json.substr(0, 3);
        json.remove_prefix(3);  // valid UTF-8: the third byte is there
    }
}

std::string restore_newlines(std::string_view text) {
    std::string restored;
    restored.reserve(text.size());
    std::size_t slashes = 0;  // right before the current character
    for (const char c : text) {
        if (c == 'n' && slashes == 1) {
            restored.back() = '\n';
        } else {
            if (c == 'n' && slashes > 1) restored.pop_back();
            restored += c;
        }
        slashes = c == '\\' ? slashes + 1 : 0;
    }
    return restored;
}

}  // namespace

std::optional<std::string> index_of(const transport::HttpRequest& request) {
    std::string index = request.query_value("j");
    if (index.empty()) return std::nullopt;
    std::erase_if(index, [](char c) { return c < '0' || c > '9'; });
    return index;
}

std::string script(std::string_view index, std::string_view payload) {
    std::string made = "___eio[";
    made.append(index).append("](");
    append_javascript(made, json_string(payload));
    made += ");";
    return made;
}

std::optional<std::string> payload_of(std::string_view form) {
    for (const auto& [name, value] : parse_query(form))
        if (name == "d") return restore_newlines(value);
    return std::nullopt;
}

}  // namespace moonwire::engineio::jsonp
