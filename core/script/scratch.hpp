#pragma once

#include <optional>
#include <vector>

#include "core/script/app_files.hpp"
#include "core/script/contract.hpp"
#include "core/script/routes.hpp"
#include "core/script/vm_limits.hpp"

namespace moonwire::script {

/// What trying a namespace's files told.
struct Tried {
    std::optional<LoadError> error;
    std::vector<Route> routes;
    NamespaceContract contract;
};

/// Loads a namespace's files in a Lua state of their own, which is thrown away: finds syntax
/// errors, errors at load and bad schemas without touching what runs. Any thread.
Tried try_namespace(const NamespaceSources& sources, VmLimits limits);

}  // namespace moonwire::script
