#pragma once

#include <optional>
#include <string>

struct lua_State;

namespace moonwire::script {

/// Pushes a deep copy of the table at `index`: plain data only (strings, numbers, booleans, null,
/// bytes, tables of these; arrays stay arrays; shared tables and circles stay so). Returns what is
/// not, and where ("$.riders.7: a function"), with nothing pushed. Protected.
std::optional<std::string> push_plain_copy(lua_State* state, int index);

}  // namespace moonwire::script
