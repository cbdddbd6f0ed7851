#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "core/base/bytes.hpp"
#include "core/base/result.hpp"

struct lua_State;

namespace moonwire::script {

/// One argument of an event as the client wrote it, for a handler that passes it on: what
/// `schema.raw()` gives. A Lua value that can't be changed; encoding writes it verbatim and
/// `:decode()` opens it.
struct RawJson {
    std::string json;
    std::vector<SharedBytes> attachments;  // all of its event's; placeholders name them by number
};

/// Which arguments stay as they are: bit i for argument i, from 0.
using RawArguments = std::uint32_t;
inline constexpr int kMaxRawArguments = 32;

/// decode_json_array for an event whose arguments are partly left as they are. Within a protected
/// call.
Result<int> decode_raw_arguments(lua_State* state, std::string_view json,
                                 std::span<const SharedBytes> attachments, int skip,
                                 RawArguments raw);

/// The RawJson at `index`, or null. Raises nothing.
const RawJson* to_raw(lua_State* state, int index);

/// Once a Vm, protected.
void register_raw(lua_State* state);

}  // namespace moonwire::script
