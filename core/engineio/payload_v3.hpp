#pragma once

#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "core/engineio/packet.hpp"
#include "core/transport/frame.hpp"

// The packets and polling payloads of Engine.IO protocol v3, which differs from v4 in how packets
// are separated and in how binary is marked (github.com/socketio/engine.io-protocol/tree/v3).
namespace moonwire::engineio::v3 {

/// What a binary message's bytes begin with: its type, as a number.
inline constexpr std::string_view kBinaryMessage{"\x04", 1};

/// "4hello" or "b4AQID", whose decoded bytes go into `bytes`; nothing if it is malformed.
std::optional<Packet> decode_text_packet(std::string_view text, std::string& bytes);
/// "\x04" and the bytes; nothing if the type is unknown.
std::optional<Packet> decode_binary_packet(std::string_view data);

/// Reads "6:4hello2:4€": lengths in UTF-16 code units, for JavaScript counted so. A packet without
/// any character is a noop, as the reference passes over it.
class PayloadReader {
public:
    /// `body` must outlive the reader.
    explicit PayloadReader(std::string_view body) : rest_(body) {}

    bool done() const noexcept { return done_; }
    /// The next packet, valid until the next call; nothing if it is malformed: a bad or missing
    /// length, one that is too long or cuts a character, an unknown type.
    std::optional<Packet> next();

private:
    std::string_view rest_;
    bool done_ = false;
    std::string bytes_;
};

/// Reads the binary form: 0 (text) or 1 (bytes), the length's digits as numbers 0-9, 255, then that
/// many bytes.
class BinaryPayloadReader {
public:
    explicit BinaryPayloadReader(std::string_view body) : rest_(body) {}

    bool done() const noexcept { return rest_.empty(); }
    /// As PayloadReader's.
    std::optional<Packet> next();

private:
    std::string_view rest_;
    std::string bytes_;
};

bool has_binary(std::span<const transport::Frame> frames);
/// The text form; binary in base64.
std::string encode_payload(std::span<const transport::Frame> frames);
/// The binary form.
std::string encode_binary_payload(std::span<const transport::Frame> frames);

/// How many UTF-16 code units this UTF-8 text is.
std::size_t utf16_units(std::string_view text);

}  // namespace moonwire::engineio::v3
