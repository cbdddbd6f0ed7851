#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace moonwire {

/// Session and socket ids: 20 url-safe base64 characters (15 bytes from the kernel's generator).
/// `tag` is the first byte: the owning reactor's index, so that a request finds its session's
/// reactor without a shared table. 112 random bits remain.
std::string make_id(unsigned char tag);

/// The tag of an id made by make_id; nothing when `id` does not have that form.
std::optional<unsigned char> id_tag(std::string_view id);

/// A random UUID, version 4 (RFC 9562).
std::string make_uuid();

}  // namespace moonwire
