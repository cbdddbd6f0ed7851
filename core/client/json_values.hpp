#pragma once

#include <cstddef>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "core/base/result.hpp"

/// How values look to a person, whose JSON has no binary: bytes are `{"_bytes":"base64"}` there,
/// and `{"_placeholder":true,"num":n}` beside an attachment on the wire. Numbers are never
/// converted, so none loses a digit.
namespace moonwire::client {

/// Deeper JSON is refused.
inline constexpr std::size_t kMaxDepth = 1000;

/// One JSON value as the wire has it, compact; bytes in it become further `attachments`. An error
/// says what is wrong and where ("column 7: …", or "line 2, column 7: …").
Result<std::string> to_wire(std::string_view json, std::vector<std::string>& attachments);

/// The reverse: compact JSON on one line.
Result<std::string> from_wire(std::string_view json, std::span<const std::string> attachments);

/// The wire's form as it is, compact on one line, when it is sound: what goes on to another wire.
Result<std::string> check_wire(std::string_view json, std::span<const std::string> attachments);

/// The elements that follow the first in a compact array, as an array: an event's arguments.
std::string without_first(std::string_view array);

}  // namespace moonwire::client
