#include "core/transport/frame_reader.hpp"

#include <algorithm>
#include <cstring>

namespace moonwire::transport {
namespace {

constexpr std::uint16_t kProtocolError = 1002, kTooBig = 1009, kNoStatus = 1005;

std::uint8_t byte(char c) { return static_cast<std::uint8_t>(c); }

/// RFC 6455 section 5.3, from the `offset`th byte of the payload on.
void unmask(std::span<char> bytes, const std::array<char, 4>& mask, std::uint64_t offset) {
    std::array<char, 8> pattern;
    for (std::size_t i = 0; i < pattern.size(); ++i) pattern[i] = mask[(offset + i) % 4];
    std::uint64_t wide;
    std::memcpy(&wide, pattern.data(), sizeof wide);
    std::size_t i = 0;
    for (; i + sizeof wide <= bytes.size(); i += sizeof wide) {
        std::uint64_t eight;
        std::memcpy(&eight, bytes.data() + i, sizeof eight);
        eight ^= wide;
        std::memcpy(bytes.data() + i, &eight, sizeof eight);
    }
    for (; i < bytes.size(); ++i) bytes[i] = static_cast<char>(bytes[i] ^ pattern[i % 8]);
}

/// Those that may be sent (section 7.4).
bool is_status_code(unsigned code) {
    return (code >= 1000 && code <= 1003) || (code >= 1007 && code <= 1014) ||
           (code >= 3000 && code <= 4999);
}

std::size_t length_bytes_of(unsigned char second) {
    switch (second & 0x7f) {
        case 126: return 2;
        case 127: return 8;
        default: return 0;
    }
}

}  // namespace

FrameReader::Event FrameReader::fault(std::uint16_t code) {
    fault_ = code;
    Event event;
    event.code = code;
    return event;
}

std::optional<FrameReader::Event> FrameReader::next(std::span<char>& bytes) {
    if (fault_) return fault(fault_);
    // What the last event viewed is not needed any more, nor the room for it.
    if (!in_message_ && !message_.empty()) message_ = std::string();
    if (!in_frame_) control_.clear();
    for (;;) {
        if (!in_frame_) {
            if (!take_header(bytes)) return std::nullopt;
            if (fault_) return fault(fault_);
        }
        const std::span<char> piece =
            bytes.first(std::min<std::uint64_t>(frame_.left, bytes.size()));
        bytes = bytes.subspan(piece.size());
        unmask(piece, frame_.mask, frame_.size - frame_.left);
        frame_.left -= piece.size();
        std::string_view payload(piece.data(), piece.size());

        std::string& kept = frame_.is_control() ? control_ : message_;
        const bool incomplete = frame_.left > 0 || !frame_.fin;
        if (incomplete || !kept.empty()) {
            kept += payload;
            payload = kept;
        }
        if (frame_.left > 0) return std::nullopt;
        in_frame_ = false;
        if (incomplete) continue;
        if (frame_.is_control()) {
            const Event event = control_event(frame_, payload);
            return event.kind == Kind::fault ? fault(event.code) : event;
        }
        in_message_ = false;
        Event event;
        event.kind = Kind::message;
        event.binary = message_binary_;
        event.compressed = message_compressed_;
        event.payload = payload;
        return event;
    }
}

bool FrameReader::take_header(std::span<char>& bytes) {
    // Most come whole; one that does not is gathered a piece at a time.
    const auto gather = [&](std::size_t wanted) {
        const std::size_t missing = wanted - std::min<std::size_t>(wanted, header_bytes_);
        const std::size_t more = std::min(missing, bytes.size());
        std::copy_n(bytes.data(), more, header_.data() + header_bytes_);
        header_bytes_ = static_cast<std::uint8_t>(header_bytes_ + more);
        bytes = bytes.subspan(more);
        return header_bytes_ >= wanted;
    };
    if (!gather(2)) return false;
    const unsigned char first = byte(header_[0]), second = byte(header_[1]);
    const std::size_t length_bytes = length_bytes_of(second);
    const std::size_t mask_bytes = second & 0x80 ? 4 : 0;
    if (!gather(2 + length_bytes + mask_bytes)) return false;
    header_bytes_ = 0;
    fault_ = begin_frame(first, second, length_bytes);
    in_frame_ = true;
    return true;
}

std::uint16_t FrameReader::begin_frame(unsigned char first, unsigned char second,
                                       std::size_t length_bytes) {
    frame_.opcode = first & 0x0f;
    frame_.fin = first & 0x80;
    frame_.size = second & 0x7f;
    if (length_bytes > 0) {
        frame_.size = 0;
        for (std::size_t i = 0; i < length_bytes; ++i)
            frame_.size = frame_.size << 8 | byte(header_[2 + i]);
        // The shortest form, and no more than 63 bits (section 5.2).
        if (frame_.size < (length_bytes == 2 ? 126 : 0x10000) || frame_.size >> 63)
            return kProtocolError;
    }
    frame_.left = frame_.size;
    if (!(second & 0x80)) return kProtocolError;  // section 5.1: clients mask
    std::copy_n(header_.data() + 2 + length_bytes, 4, frame_.mask.begin());

    const bool compressed = first & 0x40;
    if (first & 0x30) return kProtocolError;
    switch (frame_.opcode) {
        case text:
        case binary:
            if (in_message_ || (compressed && !deflate_)) return kProtocolError;
            in_message_ = true;
            message_binary_ = frame_.opcode == binary;
            message_compressed_ = compressed;
            break;
        case continuation:
            if (!in_message_ || compressed) return kProtocolError;
            break;
        case close:
        case ping:
        case pong:
            return compressed || !frame_.fin || frame_.size > 125 ? kProtocolError : 0;
        default: return kProtocolError;
    }
    return frame_.size > max_message_ - message_.size() ? kTooBig : 0;
}

FrameReader::Event FrameReader::control_event(const Frame& frame, std::string_view payload) {
    Event event;
    event.payload = payload;
    if (frame.opcode != close) {
        event.kind = frame.opcode == ping ? Kind::ping : Kind::pong;
        return event;
    }
    event.kind = Kind::close;
    event.code = kNoStatus;
    if (payload.empty()) return event;
    event.code = payload.size() < 2
                     ? 0
                     : static_cast<std::uint16_t>(byte(payload[0]) << 8 | byte(payload[1]));
    if (!is_status_code(event.code)) return {.code = kProtocolError, .payload = {}};
    event.payload.remove_prefix(2);
    return event;
}

}  // namespace moonwire::transport
