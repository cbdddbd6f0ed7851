#include "core/script/route_table.hpp"

#include <charconv>
#include <set>

namespace moonwire::script {
namespace {

/// "orders/main.lua:12" taken apart.
LoadError error_at(const std::string& position, std::string message) {
    LoadError error{position, 0, std::move(message)};
    const std::size_t colon = position.rfind(':');
    if (colon != std::string::npos) {
        error.file.resize(colon);
        std::from_chars(position.data() + colon + 1, position.data() + position.size(), error.line);
    }
    return error;
}

}  // namespace

void RouteTable::replace(const std::string& nsp, std::vector<Route> routes) {
    if (routes.empty()) by_namespace_.erase(nsp);
    else by_namespace_[nsp] = std::move(routes);
}

std::optional<LoadError> RouteTable::conflict(const std::string& nsp,
                                              const std::vector<Route>& routes) const {
    for (const auto& [name, others] : by_namespace_) {
        if (name == nsp) continue;
        for (const Route& other : others)
            for (const Route& route : routes)
                if (route.same_as(other))
                    return error_at(route.position,
                                    "a second route " + route.method + " " + route.pattern.shape() +
                                        " (the first is at " + other.position + ")");
    }
    return std::nullopt;
}

RouteTable::Match RouteTable::find(std::string_view method, std::string_view path) const {
    Match match;
    std::set<std::string> methods;
    std::string best;
    for (const auto& [nsp, routes] : by_namespace_) {
        for (const Route& route : routes) {
            auto params = route.pattern.match(path);
            if (!params) continue;
            match.path_known = true;
            methods.insert(route.method);
            const bool exact = route.method == method;
            if (!exact && !(method == "HEAD" && route.method == "GET")) continue;
            // A literal path beats a parameter; of the same path, HEAD's own route beats GET's.
            const std::string rank = route.pattern.precedence() + (exact ? '0' : '1');
            if (!match.method.empty() && rank >= best) continue;
            best = rank;
            match.nsp = nsp;
            match.method = route.method;
            match.shape = route.pattern.shape();
            match.params = *std::move(params);
        }
    }
    if (methods.contains("GET")) methods.insert("HEAD");
    for (const std::string& each : methods) match.allow += (match.allow.empty() ? "" : ", ") + each;
    return match;
}

}  // namespace moonwire::script
