#pragma once

#include <string>
#include <string_view>

/// The text of a compact JSON array, whose first elements are a plugin's own and whose others only
/// go on: they are never parsed, so nothing of them is lost.
namespace moonwire::upstream {

/// Takes the first element out: `["a",1]` becomes `[1]`. Empty if there is none.
std::string take_first(std::string& array);

/// The same for one that is a string; empty if it is something else.
std::string take_text(std::string& array);

/// Puts a text first.
void put_text(std::string& array, std::string_view text);

}  // namespace moonwire::upstream
