#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "core/base/function.hpp"
#include "core/engineio/packet.hpp"
#include "core/transport/frame.hpp"

namespace moonwire::engineio {

/// A packet in text: "4hello", or "bAQID" for a binary message, whose decoded bytes go into
/// `bytes`; nothing if it is malformed.
std::optional<Packet> decode_text_part(std::string_view text, std::string& bytes);

/// Between the packets of a polling payload.
inline constexpr char kSeparator = '\x1e';

/// Reads a polling payload packet by packet: "4hello\x1ebAQIDBA==" (protocol v4).
class PayloadReader {
public:
    /// `body` must outlive the reader.
    explicit PayloadReader(std::string_view body) : rest_(body) {}

    bool done() const noexcept { return done_; }
    /// The next packet, valid until the next call; nothing if it is malformed.
    std::optional<Packet> next();

private:
    std::string_view rest_;
    bool done_ = false;
    std::string binary_;
};

/// Appends a packet's frame to a polling response's body.
void append_to_payload(std::string& body, const transport::Frame& frame);

/// Standard base64 with padding (RFC 4648 section 4).
void append_base64(std::string& out, std::string_view bytes);
/// Nothing if `text` is not valid. Padding may be left out, and line breaks are ignored: some clients
/// (Java) write them.
std::optional<std::string> decode_base64(std::string_view text);

}  // namespace moonwire::engineio
