#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "core/plugin/api/values.hpp"

namespace moonwire::redis {

/// Values are nested no deeper, in either form.
inline constexpr int kMaxDepth = 128;
/// Binary values of one message.
inline constexpr std::size_t kMaxAttachments = 1000;

// MessagePack as the Node packages write and read it (notepack.io): binary values are `bin`, dates
// are timestamps, `undefined` is an extension of type 0.

/// Appends a value: its JSON, whose placeholders stand for the attachments. Throws
/// std::runtime_error, with what is wrong: malformed, too deep, a number too large.
void append_packed(std::string& out, const plugin::Values& value);
void append_packed_text(std::string& out, std::string_view text);
void append_packed_texts(std::string& out, const std::vector<std::string>& texts);
void append_packed_bool(std::string& out, bool value);
void append_packed_number(std::string& out, unsigned number);
void append_packed_array(std::string& out, std::size_t count);
void append_packed_map(std::string& out, std::size_t count);

/// A value's JSON; its binary values become attachments, dates ISO texts, and what JSON has not is
/// null. Whether its texts are UTF-8 is for whoever reads it. Throws std::runtime_error for what is
/// no whole value, too deep, or has a key that is no text.
plugin::Values unpack(std::string_view packed);

}  // namespace moonwire::redis
