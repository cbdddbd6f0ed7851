#include "core/transport/http.hpp"

#include <algorithm>

namespace moonwire::transport {
namespace {

char lower(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; }

int hex_digit(char c) {
    if (c >= '0' && c <= '9') return c - '0';
    c = lower(c);
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/// Calls `visit(name, value)`, both undecoded, until it returns true.
template <typename Visit>
void for_each_parameter(std::string_view query, Visit&& visit) {
    while (!query.empty()) {
        const std::string_view pair = query.substr(0, query.find('&'));
        query.remove_prefix(std::min(pair.size() + 1, query.size()));
        if (pair.empty()) continue;
        const auto equals = pair.find('=');
        const auto value =
            equals == std::string_view::npos ? std::string_view() : pair.substr(equals + 1);
        if (visit(pair.substr(0, equals), value)) return;
    }
}

}  // namespace

std::string_view HttpRequest::path() const {
    return std::string_view(target).substr(0, target.find('?'));
}

std::string_view HttpRequest::query() const {
    const auto mark = target.find('?');
    return mark == std::string::npos ? std::string_view()
                                     : std::string_view(target).substr(mark + 1);
}

std::string_view HttpRequest::header(std::string_view name) const {
    for (const auto& [key, value] : headers)
        if (std::equal(key.begin(), key.end(), name.begin(), name.end(),
                       [](char a, char b) { return lower(a) == lower(b); }))
            return value;
    return {};
}

std::string HttpRequest::query_value(std::string_view name) const {
    std::string found;
    for_each_parameter(query(), [&](std::string_view key, std::string_view value) {
        if (url_decode(key) != name) return false;
        found = url_decode(value);
        return true;
    });
    return found;
}

Headers HttpRequest::query_values() const {
    Headers values;
    for_each_parameter(query(), [&](std::string_view key, std::string_view value) {
        values.emplace_back(url_decode(key), url_decode(value));
        return false;
    });
    return values;
}

std::string url_decode(std::string_view text) {
    std::string out;
    out.reserve(text.size());
    for (std::size_t i = 0; i < text.size(); ++i) {
        if (text[i] == '%' && i + 2 < text.size()) {
            const int high = hex_digit(text[i + 1]);
            const int low = hex_digit(text[i + 2]);
            if (high >= 0 && low >= 0) {
                out += static_cast<char>(high << 4 | low);
                i += 2;
                continue;
            }
        }
        out += text[i] == '+' ? ' ' : text[i];
    }
    return out;
}

}  // namespace moonwire::transport
