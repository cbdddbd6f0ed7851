#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

namespace moonwire {

/// `size` bytes at `bytes`, most significant first.
inline std::uint64_t big_endian(const char* bytes, std::size_t size) {
    std::uint64_t value = 0;
    for (std::size_t i = 0; i < size; ++i)
        value = value << 8 | static_cast<unsigned char>(bytes[i]);
    return value;
}

/// One whole value and nothing after it, every length within the message. The library's mp_check
/// counts in an int, which hostile counts overflow; after this check its readers are safe.
inline bool is_well_formed_msgpack(std::string_view in) {
    std::uint64_t values = 1;  // still to come; each takes a byte at least
    while (values > 0) {
        if (values > in.size()) return false;
        --values;
        const auto head = static_cast<unsigned char>(in.front());
        in.remove_prefix(1);
        // What follows the head: so many bytes, or bytes of a length or a count.
        std::uint64_t bytes = 0;
        std::size_t length_bytes = 0;
        if (head < 0x80 || head >= 0xe0) continue;  // small integers
        if (head < 0x90) values += 2u * (head & 15);
        else if (head < 0xa0) values += head & 15;
        else if (head < 0xc0) bytes = head & 31;
        else if (head == 0xc1) return false;                           // never used
        else if (head < 0xc4) continue;                                // nil, false, true
        else if (head < 0xca) length_bytes = 1u << (head - 0xc4) % 3;  // binary, extension
        else if (head < 0xcc) bytes = head == 0xca ? 4 : 8;            // float, double
        else if (head < 0xd4) bytes = 1u << (head & 3);                // integers
        else if (head < 0xd9) bytes = 1 + (1u << (head - 0xd4));       // extension
        else length_bytes = head < 0xdc ? 1u << (head - 0xd9) : 2u << (head & 1);
        if (length_bytes > 0) {
            if (in.size() < length_bytes) return false;
            const std::uint64_t number = big_endian(in.data(), length_bytes);
            in.remove_prefix(length_bytes);
            if (head >= 0xde) values += 2 * number;
            else if (head >= 0xdc) values += number;
            else bytes = number + (head >= 0xc7 && head <= 0xc9 ? 1 : 0);
        }
        if (bytes > in.size()) return false;
        in.remove_prefix(bytes);
    }
    return in.empty();
}

}  // namespace moonwire
