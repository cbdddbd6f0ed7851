#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include "core/base/result.hpp"

namespace moonwire::plugin {

/// A plugin and those that it needs before it.
struct Dependent {
    std::string name;
    std::vector<std::string> needs;
};

/// The order in which they start, as indices: what is needed first, else as they were given. An
/// error names what is missing, given twice, or the circle.
Result<std::vector<std::size_t>> load_order(const std::vector<Dependent>& plugins);

}  // namespace moonwire::plugin
