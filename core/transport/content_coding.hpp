#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>

namespace moonwire::transport {

/// HTTP's content codings (RFC 9110 section 8.4.1).
enum class ContentCoding : std::uint8_t { identity, deflate, gzip, brotli };
std::string_view to_string(ContentCoding coding);

/// Which of `offered` (best first) suits an Accept-Encoding header best, by its q-values; identity
/// if none does, and for an empty header.
ContentCoding choose_coding(std::string_view accept_encoding,
                            std::span<const ContentCoding> offered);

/// The bytes in gzip's or deflate's format (zlib's level 6). Throws std::bad_alloc when the machine
/// has no memory.
std::string compress(std::string_view bytes, ContentCoding coding);

}  // namespace moonwire::transport
