#include "core/transport/frame.hpp"

#include <cstring>

namespace moonwire::transport {

Frame Frame::make(bool binary, std::initializer_list<std::string_view> parts) {
    std::size_t size = 0;
    for (auto part : parts) size += part.size();

    unsigned char header[10];
    header[0] = binary ? 0x82 : 0x81;  // FIN + opcode
    std::uint8_t header_bytes = 2;
    if (size < 126) {
        header[1] = static_cast<unsigned char>(size);
    } else {
        const int length_bytes = size <= 0xffff ? 2 : 8;
        header[1] = length_bytes == 2 ? 126 : 127;
        for (int i = 0; i < length_bytes; ++i)
            header[2 + i] =
                static_cast<unsigned char>(std::uint64_t{size} >> 8 * (length_bytes - 1 - i));
        header_bytes = static_cast<std::uint8_t>(2 + length_bytes);
    }

    Frame frame;
    frame.wire_ = SharedBytes::allocate(header_bytes + size);
    frame.header_bytes_ = header_bytes;
    frame.binary_ = binary;
    char* to = frame.wire_.mutable_data();
    std::memcpy(to, header, header_bytes);
    to += header_bytes;
    for (auto part : parts) {
        if (!part.empty()) std::memcpy(to, part.data(), part.size());
        to += part.size();
    }
    return frame;
}

}  // namespace moonwire::transport
