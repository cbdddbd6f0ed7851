#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "core/script/authentication.hpp"

namespace moonwire::script {

/// A route's path: literal segments and `:name` parameters.
class RoutePattern {
public:
    /// The error says what is wrong with it.
    static std::optional<RoutePattern> parse(std::string_view path, std::string& error);

    /// The parameters, percent-decoded, if `path` matches.
    std::optional<std::vector<std::pair<std::string, std::string>>> match(
        std::string_view path) const;
    /// The same for patterns that match the same paths: parameters' names don't count.
    const std::string& shape() const noexcept { return shape_; }
    /// Of two patterns that match a path the one with the smaller key is meant: literal segments go
    /// before parameters, from the left.
    const std::string& precedence() const noexcept { return precedence_; }

private:
    struct Segment {
        std::string text;  // a parameter's name
        bool is_parameter;
    };
    std::vector<Segment> segments_;
    std::string shape_, precedence_;
};

/// One `route(method, path, …)` of a generation.
struct Route {
    std::string method;
    RoutePattern pattern;
    int handler = 0;  // slots in the generation
    int schema = 0;   // 0: none
    std::optional<AuthDemand> auth = {};
    std::string position;

    bool same_as(const Route& other) const {
        return method == other.method && pattern.shape() == other.pattern.shape();
    }
};

}  // namespace moonwire::script
