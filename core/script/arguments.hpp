#pragma once

#include <optional>
#include <string>

#include "core/script/failure.hpp"

namespace moonwire::script {

/// Which argument does not hold, and why.
struct InvalidArgument {
    std::string path;  // "data.lat", or "$2.lat" when the schemas were a list
    std::string message, rule, expected, got;

    /// As the client sees it: a fail("invalid", "path: message", {path, rule, expected, got}).
    Failure failure() const;
    std::string text() const { return path + ": " + message; }
};

/// Checks the arguments from `first` to the top against the array of schemas at `schemas` (an index
/// below), in place: missing ones become nil and may get defaults. Protected: the stack may grow.
std::optional<InvalidArgument> check_arguments(lua_State* state, int schemas, bool listed,
                                               int first);

/// A C function for Lua: upvalues are the array and whether it was a list; returns its arguments
/// checked, or raises fail("invalid", …).
int lua_check_arguments(lua_State* state);

}  // namespace moonwire::script
