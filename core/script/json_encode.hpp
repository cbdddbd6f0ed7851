#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "core/base/bytes.hpp"
#include "core/base/result.hpp"

struct lua_State;

namespace moonwire::script {

/// Longest text that encoding makes: a table that holds one table twice, and so on down, would
/// double at every level.
inline constexpr std::size_t kMaxEncodedBytes = 64u << 20;

/// What encoding yields: JSON text, and the binary values that its placeholders stand for.
/// Kept and cleared by the caller, so that steady-state encoding does not allocate.
struct Encoded {
    std::string json;
    std::vector<SharedBytes> attachments;
    void clear() {
        json.clear();
        attachments.clear();
    }
};

/// Where binary values may appear: in packets as placeholders; in plain JSON they are an error.
enum class BinaryValues { as_attachments, refused };

/// Appends the value at `index` as JSON to `out.json`. Errors carry the path from `root`
/// ("$.ride.fare: NaN"; elements count from 1, as in Lua). Integral doubles below 2^53 go out
/// without a fraction, others in shortest round-trip form; strings must be UTF-8. Refused: NaN and
/// infinities, mixed or sparse keys, cycles, functions and other non-data, depth over
/// kMaxJsonDepth, text over kMaxEncodedBytes. What was appended before an error stays in `out`.
/// Never raises a Lua error.
Result<void> encode_json(lua_State* state, int index, Encoded& out, BinaryValues binary,
                         std::string_view root = "$");

/// Appends `["event",arg1,…]` (or `[arg1,…]` when `event` is empty) from the stack values `first`
/// to `last`; a nil among them is null, trailing nils too. Paths name arguments from 1: "$1.fare".
Result<void> encode_json_array(lua_State* state, std::string_view event, int first, int last,
                               Encoded& out);

}  // namespace moonwire::script
