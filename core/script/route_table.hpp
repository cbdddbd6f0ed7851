#pragma once

#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "core/script/host.hpp"
#include "core/script/routes.hpp"

namespace moonwire::script {

/// Which namespace serves which method and path. Not thread-safe.
class RouteTable {
public:
    struct Match {
        bool path_known = false;
        std::string allow;  // the path's methods, for a 405
        std::string nsp;
        std::string method;  // the route's: GET may serve a HEAD; empty: 405
        std::string shape;
        std::vector<std::pair<std::string, std::string>> params;
    };

    void replace(const std::string& nsp, std::vector<Route> routes);
    /// Why `nsp` can't have these routes: another namespace serves one of them.
    std::optional<LoadError> conflict(const std::string& nsp,
                                      const std::vector<Route>& routes) const;
    Match find(std::string_view method, std::string_view path) const;

private:
    std::map<std::string, std::vector<Route>> by_namespace_;
};

}  // namespace moonwire::script
