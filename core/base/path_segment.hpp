#pragma once

#include <algorithm>
#include <string_view>

namespace moonwire {

/// The next segment of a path that starts with '/', removed from it: "/tenant/a" gives "tenant" and
/// leaves "/a".
inline std::string_view take_segment(std::string_view& path) {
    path.remove_prefix(1);
    const std::size_t end = std::min(path.find('/'), path.size());
    const std::string_view segment = path.substr(0, end);
    path.remove_prefix(end);
    return segment;
}

}  // namespace moonwire
