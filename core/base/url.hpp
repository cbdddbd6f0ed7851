#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace moonwire {

/// "%2F" and "+" decoded; malformed escapes stay as they are.
std::string url_decode(std::string_view text);

/// For a query: everything but letters, digits and "-._~" escaped.
std::string url_encode(std::string_view text);

/// The pairs of "a=1&b=2" (application/x-www-form-urlencoded), decoded, in order. A name without
/// "=" has an empty value.
std::vector<std::pair<std::string, std::string>> parse_query(std::string_view query);

/// The value of the first pair of that name; empty when there is none.
std::string find_in_query(std::string_view query, std::string_view name);

}  // namespace moonwire
