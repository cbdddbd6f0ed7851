#include "core/transport/frame.hpp"

#include <cstring>

#include "core/transport/deflater.hpp"

namespace moonwire::transport {
namespace {

constexpr unsigned char kText = 0x81, kBinary = 0x82;  // FIN and opcode
constexpr unsigned char kCompressed = 0x40;            // RSV1 (RFC 7692 section 6)

struct Header {
    Header(unsigned char first, std::size_t size) {
        data[0] = static_cast<char>(first);
        if (size < 126) {
            data[1] = static_cast<char>(size);
            return;
        }
        const int length_bytes = size <= 0xffff ? 2 : 8;
        data[1] = length_bytes == 2 ? 126 : 127;
        for (int i = 0; i < length_bytes; ++i)
            data[2 + i] = static_cast<char>(std::uint64_t{size} >> 8 * (length_bytes - 1 - i));
        bytes = static_cast<std::uint8_t>(2 + length_bytes);
    }
    std::string_view view() const { return {data, bytes}; }

    char data[10];
    std::uint8_t bytes = 2;
};

}  // namespace

SharedBytes Frame::deflated(Deflater& deflater) const {
    SharedBytes twin = wire_.twin([&] {
        const std::string_view smaller = deflater.deflate(payload());
        if (smaller.empty()) return SharedBytes();
        const Header header((binary_ ? kBinary : kText) | kCompressed, smaller.size());
        return SharedBytes::concat({header.view(), smaller});
    });
    return twin.empty() ? wire_ : twin;
}

Frame Frame::make(bool binary, std::initializer_list<std::string_view> parts) {
    std::size_t size = 0;
    for (auto part : parts) size += part.size();
    const Header header(binary ? kBinary : kText, size);

    Frame frame;
    frame.wire_ = SharedBytes::allocate(header.bytes + size);
    frame.header_bytes_ = header.bytes;
    frame.binary_ = binary;
    char* to = frame.wire_.mutable_data();
    std::memcpy(to, header.data, header.bytes);
    to += header.bytes;
    for (auto part : parts) {
        if (!part.empty()) std::memcpy(to, part.data(), part.size());
        to += part.size();
    }
    return frame;
}

}  // namespace moonwire::transport
