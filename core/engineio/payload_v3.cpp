#include "core/engineio/payload_v3.hpp"

#include <algorithm>
#include <charconv>

#include "core/engineio/payload.hpp"

namespace moonwire::engineio::v3 {
namespace {

/// More digits than any body that a limit lets in.
constexpr std::size_t kMaxDigits = 10;
constexpr char kEndOfLength = '\xff';

/// Bytes of the UTF-8 sequence that begins so; 0 for what begins none (RFC 3629 section 3).
std::size_t sequence_bytes(unsigned char lead) {
    if (lead < 0x80) return 1;
    if (lead < 0xc2 || lead > 0xf4) return 0;
    return lead < 0xe0 ? 2 : lead < 0xf0 ? 3 : 4;
}

/// How many bytes at the front of `text` are exactly `units` UTF-16 code units.
std::optional<std::size_t> bytes_of_units(std::string_view text, std::size_t units) {
    std::size_t at = 0;
    while (units > 0) {
        if (at >= text.size()) return std::nullopt;
        const std::size_t length = sequence_bytes(static_cast<unsigned char>(text[at]));
        const std::size_t width = length == 4 ? 2 : 1;
        if (length == 0 || length > text.size() - at || width > units) return std::nullopt;
        const std::string_view tail = text.substr(at + 1, length - 1);
        if (std::any_of(tail.begin(), tail.end(), [](char c) { return (c & 0xc0) != 0x80; }))
            return std::nullopt;
        at += length;
        units -= width;
    }
    return at;
}

}  // namespace

std::optional<Packet> decode_text_packet(std::string_view text, std::string& bytes) {
    if (!text.starts_with('b')) return decode_packet(text);
    const std::optional<Packet> packet = decode_packet(text.substr(1));
    if (!packet) return std::nullopt;
    auto decoded = decode_base64(packet->data);
    if (!decoded) return std::nullopt;
    bytes = *std::move(decoded);
    return Packet{packet->type, true, bytes};
}

std::optional<Packet> decode_binary_packet(std::string_view data) {
    if (data.empty() || static_cast<unsigned char>(data[0]) > 6) return std::nullopt;
    return Packet{static_cast<PacketType>(data[0] + '0'), true, data.substr(1)};
}

std::optional<Packet> PayloadReader::next() {
    const std::size_t colon = rest_.substr(0, kMaxDigits + 1).find(':');
    if (colon == std::string_view::npos) return std::nullopt;
    std::size_t units = 0;
    const auto [end, error] = std::from_chars(rest_.data(), rest_.data() + colon, units);
    if (error != std::errc() || end != rest_.data() + colon) return std::nullopt;
    rest_.remove_prefix(colon + 1);
    const std::optional<std::size_t> size = bytes_of_units(rest_, units);
    if (!size) return std::nullopt;
    const std::string_view text = rest_.substr(0, *size);
    rest_.remove_prefix(*size);
    done_ = rest_.empty();
    if (text.empty()) return Packet{};
    return decode_text_packet(text, bytes_);
}

std::optional<Packet> BinaryPayloadReader::next() {
    const std::size_t end = rest_.substr(0, kMaxDigits + 2).find(kEndOfLength);
    if (end == std::string_view::npos || end < 2) return std::nullopt;
    const char kind = rest_[0];
    std::size_t size = 0;
    for (const char digit : rest_.substr(1, end - 1)) {
        if (static_cast<unsigned char>(digit) > 9) return std::nullopt;
        size = size * 10 + static_cast<std::size_t>(digit);
    }
    rest_.remove_prefix(end + 1);
    if (size > rest_.size() || static_cast<unsigned char>(kind) > 1) return std::nullopt;
    const std::string_view packet = rest_.substr(0, size);
    rest_.remove_prefix(size);
    return kind == 0 ? decode_text_packet(packet, bytes_) : decode_binary_packet(packet);
}

bool has_binary(std::span<const transport::Frame> frames) {
    return std::any_of(frames.begin(), frames.end(),
                       [](const transport::Frame& frame) { return frame.is_binary(); });
}

std::string encode_payload(std::span<const transport::Frame> frames) {
    if (frames.empty()) return "0:";
    std::string body;
    std::string base64;
    for (const transport::Frame& frame : frames) {
        std::string_view text = frame.payload();
        if (frame.is_binary()) {
            base64 = "b4";
            append_base64(base64, frame.payload());
            text = base64;
        }
        body += std::to_string(utf16_units(text));
        body += ':';
        body += text;
    }
    return body;
}

std::string encode_binary_payload(std::span<const transport::Frame> frames) {
    std::string body;
    for (const transport::Frame& frame : frames) {
        const std::string_view prefix = frame.is_binary() ? kBinaryMessage : std::string_view();
        body += frame.is_binary() ? '\x01' : '\0';
        for (const char digit : std::to_string(prefix.size() + frame.payload().size()))
            body += static_cast<char>(digit - '0');
        body += kEndOfLength;
        body += prefix;
        body += frame.payload();
    }
    return body;
}

std::size_t utf16_units(std::string_view text) {
    std::size_t units = 0;
    for (const char c : text) {
        const auto byte = static_cast<unsigned char>(c);
        units += (byte & 0xc0) != 0x80;  // one a sequence, and one more for a surrogate pair
        units += byte >= 0xf0;
    }
    return units;
}

}  // namespace moonwire::engineio::v3
