#include "core/engineio/payload.hpp"

#include <array>
#include <cstdint>

namespace moonwire::engineio {
namespace {

constexpr std::string_view kBase64 =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

constexpr std::array<std::int8_t, 256> kFromBase64 = [] {
    std::array<std::int8_t, 256> table{};
    table.fill(-1);
    for (std::size_t i = 0; i < kBase64.size(); ++i)
        table[static_cast<unsigned char>(kBase64[i])] = static_cast<std::int8_t>(i);
    return table;
}();

bool is_space(char c) { return c == '\n' || c == '\r' || c == ' ' || c == '\t'; }

}  // namespace

std::optional<Packet> decode_text_part(std::string_view text, std::string& bytes) {
    if (!text.starts_with('b')) return decode_packet(text);
    auto decoded = decode_base64(text.substr(1));
    if (!decoded) return std::nullopt;
    bytes = *std::move(decoded);
    return Packet{PacketType::message, true, bytes};
}

std::optional<Packet> PayloadReader::next() {
    const std::size_t end = rest_.find(kSeparator);
    const std::string_view part = rest_.substr(0, end);
    if (end == std::string_view::npos) done_ = true;
    else rest_.remove_prefix(end + 1);

    return decode_text_part(part, binary_);
}

void append_to_payload(std::string& body, const transport::Frame& frame) {
    if (!body.empty()) body += kSeparator;
    if (frame.is_binary()) {
        body += 'b';
        append_base64(body, frame.payload());
    } else {
        body += frame.payload();
    }
}

void append_base64(std::string& out, std::string_view bytes) {
    std::size_t i = 0;
    const auto at = [&](std::size_t k) { return std::uint32_t{static_cast<unsigned char>(bytes[k])}; };
    for (; i + 2 < bytes.size(); i += 3) {
        const std::uint32_t group = at(i) << 16 | at(i + 1) << 8 | at(i + 2);
        out += {kBase64[group >> 18], kBase64[group >> 12 & 63], kBase64[group >> 6 & 63],
                kBase64[group & 63]};
    }
    if (i + 1 == bytes.size()) {
        const std::uint32_t group = at(i) << 16;
        out += {kBase64[group >> 18], kBase64[group >> 12 & 63], '=', '='};
    } else if (i + 2 == bytes.size()) {
        const std::uint32_t group = at(i) << 16 | at(i + 1) << 8;
        out += {kBase64[group >> 18], kBase64[group >> 12 & 63], kBase64[group >> 6 & 63], '='};
    }
}

std::optional<std::string> decode_base64(std::string_view text) {
    while (!text.empty() && is_space(text.back())) text.remove_suffix(1);
    for (int i = 0; i < 2 && text.ends_with('='); ++i) text.remove_suffix(1);
    std::string bytes;
    bytes.reserve(text.size() / 4 * 3 + 2);
    std::uint32_t group = 0;
    int bits = 0;
    std::size_t symbols = 0;
    for (const char c : text) {
        const std::int8_t value = kFromBase64[static_cast<unsigned char>(c)];
        if (value < 0 && is_space(c)) continue;
        if (value < 0) return std::nullopt;
        ++symbols;
        group = group << 6 | static_cast<std::uint32_t>(value);
        bits += 6;
        if (bits >= 8) {
            bits -= 8;
            bytes += static_cast<char>(group >> bits & 0xff);
        }
    }
    if (symbols % 4 == 1) return std::nullopt;
    return bytes;
}

}  // namespace moonwire::engineio
