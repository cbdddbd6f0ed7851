#pragma once

#include <string>
#include <vector>

#include "core/plugin/api/client.hpp"

namespace moonwire::upstream {

/// A connection that a script wants.
struct Wanted {
    std::string name;
    std::string text;  // of all its options
    plugin::ClientOptions options;
};

/// What upstream.lua's `want` has told: `[["name",{…}],…]`, whose values were checked there.
std::vector<Wanted> read_wanted(const std::string& json);

/// Whether the two want the same, in whatever order Lua wrote it.
bool same_options(const Wanted& one, const Wanted& other);

}  // namespace moonwire::upstream
