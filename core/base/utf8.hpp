#pragma once

#include <cstddef>
#include <string_view>

namespace moonwire {

/// The length of the valid sequence of several bytes at the front of `text`, or 0: ASCII is none.
std::size_t utf8_sequence(std::string_view text);

/// How many bytes at the front of `text` are valid UTF-8 (RFC 3629): all of them, or up to the
/// first that is not.
std::size_t valid_utf8_prefix(std::string_view text);

/// The code points of valid UTF-8.
std::size_t utf8_length(std::string_view text);

}  // namespace moonwire
