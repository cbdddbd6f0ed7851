#include "core/script/routes.hpp"

#include <algorithm>

#include "core/base/path_segment.hpp"
#include "core/base/url.hpp"

namespace moonwire::script {
namespace {

/// In a path, unlike in a query, '+' is itself.
std::string decode_segment(std::string_view segment) {
    std::string decoded;
    for (;;) {
        const std::size_t plus = segment.find('+');
        decoded += url_decode(segment.substr(0, plus));
        if (plus == std::string_view::npos) return decoded;
        decoded += '+';
        segment.remove_prefix(plus + 1);
    }
}

}  // namespace

std::optional<RoutePattern> RoutePattern::parse(std::string_view path, std::string& error) {
    if (!path.starts_with('/')) {
        error = "a route's path starts with '/'";
        return std::nullopt;
    }
    RoutePattern pattern;
    while (!path.empty()) {
        const std::string_view segment = take_segment(path);
        const bool is_parameter = segment.starts_with(':');
        const std::string text(is_parameter ? segment.substr(1) : segment);
        const auto same_name = [&](const Segment& each) {
            return each.is_parameter && each.text == text;
        };
        if (is_parameter && text.empty()) {
            error = "a route's parameter needs a name after ':'";
            return std::nullopt;
        }
        if (is_parameter &&
            std::any_of(pattern.segments_.begin(), pattern.segments_.end(), same_name)) {
            error = "a route's parameter ':" + text + "' appears twice";
            return std::nullopt;
        }
        pattern.segments_.push_back({text, is_parameter});
        pattern.shape_ += is_parameter ? "/:" : "/" + text;
        pattern.precedence_ += is_parameter ? '1' : '0';
    }
    return pattern;
}

std::optional<std::vector<std::pair<std::string, std::string>>> RoutePattern::match(
    std::string_view path) const {
    std::vector<std::pair<std::string, std::string>> params;
    for (const Segment& segment : segments_) {
        if (path.empty() || path.front() != '/') return std::nullopt;
        const std::string given = decode_segment(take_segment(path));
        if (segment.is_parameter) {
            if (given.empty()) return std::nullopt;
            params.emplace_back(segment.text, given);
        } else if (given != segment.text) {
            return std::nullopt;
        }
    }
    if (!path.empty()) return std::nullopt;
    return params;
}

}  // namespace moonwire::script
