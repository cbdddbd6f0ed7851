#include "core/transport/http.hpp"

#include <algorithm>

#include "core/base/url.hpp"

namespace moonwire::transport {
namespace {

char lower(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; }

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
    return find_in_query(query(), name);
}

Headers HttpRequest::query_values() const { return parse_query(query()); }

}  // namespace moonwire::transport
