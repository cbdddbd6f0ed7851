#pragma once

#include <cstddef>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "core/base/bytes.hpp"
#include "core/base/result.hpp"

struct lua_State;

namespace moonwire::script {

/// Deepest nesting accepted either way.
inline constexpr int kMaxJsonDepth = 64;

/// Parses JSON straight onto the Lua stack (RapidJSON's SAX events, no document). Leaves exactly
/// one value on success, none on failure; the error names the offset. Objects
/// `{"_placeholder":true,"num":n}` become attachment n when there are attachments (a bad n is an
/// error). Integers beyond 2^53 arrive as strings, exact. Runs protected: memory errors are
/// Results.
Result<void> decode_json(lua_State* state, std::string_view json,
                         std::span<const SharedBytes> attachments = {});

/// The same for an array whose elements become separate stack values; returns how many. `skip`
/// leading elements are parsed but not pushed (the event name). At most 200 values.
Result<int> decode_json_array(lua_State* state, std::string_view json,
                              std::span<const SharedBytes> attachments, int skip);

/// Whether `json` is one valid JSON text of acceptable depth.
bool is_valid_json(std::string_view json);

/// The same; of the second element of an array (an event's first argument), if that is an object, it
/// also reads the fields with these names into `values`, in this order: strings, and whole numbers
/// as they are written. Other values, and what is missing, are nothing.
bool pick_fields(std::string_view json, std::span<const std::string> names,
                 std::span<std::optional<std::string>> values);

}  // namespace moonwire::script
