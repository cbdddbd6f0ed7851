#pragma once

#include <string_view>

#include "core/script/generation.hpp"

/// Development's look at whether scripts keep to what they declare (setting scripts.check_emits).
/// What does not hold is logged, once an event and generation, and goes out all the same. Home
/// reactor; they raise nothing but for memory.
namespace moonwire::script {

/// The event at `index` and the values after it that are about to be sent.
void check_emitted(lua_State* state, Generation& generation, int index);

/// What the handler of `event` returned: `count` values from `first`.
void check_returned(lua_State* state, Generation& generation, std::string_view event, int first,
                    int count);

/// What a client answered to `event`: the topmost `count` values.
void check_reply(lua_State* state, Generation& generation, std::string_view event, int count);

}  // namespace moonwire::script
