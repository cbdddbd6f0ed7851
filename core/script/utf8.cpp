#include "core/script/utf8.hpp"

#include <cstdint>
#include <cstring>

namespace moonwire::script {
namespace {

/// The length of the sequence that starts with this byte, beyond ASCII, if its bytes are right.
std::size_t sequence(const unsigned char* at, std::size_t left) {
    const auto continues = [](unsigned char c) { return (c & 0xc0) == 0x80; };
    const unsigned char lead = at[0];
    if (lead >= 0xc2 && lead <= 0xdf) return left >= 2 && continues(at[1]) ? 2 : 0;
    if (lead >= 0xe0 && lead <= 0xef) {
        if (left < 3 || !continues(at[1]) || !continues(at[2])) return 0;
        if ((lead == 0xe0 && at[1] < 0xa0) || (lead == 0xed && at[1] > 0x9f)) return 0;
        return 3;
    }
    if (lead >= 0xf0 && lead <= 0xf4) {
        if (left < 4 || !continues(at[1]) || !continues(at[2]) || !continues(at[3])) return 0;
        if ((lead == 0xf0 && at[1] < 0x90) || (lead == 0xf4 && at[1] > 0x8f)) return 0;
        return 4;
    }
    return 0;
}

}  // namespace

std::size_t valid_utf8_prefix(std::string_view text) {
    constexpr std::uint64_t kHighBits = 0x8080808080808080u;
    const auto* bytes = reinterpret_cast<const unsigned char*>(text.data());
    std::size_t i = 0;
    while (i < text.size()) {
        std::uint64_t eight = 0;
        while (text.size() - i >= sizeof eight &&
               (std::memcpy(&eight, bytes + i, sizeof eight), (eight & kHighBits) == 0))
            i += sizeof eight;
        if (i == text.size()) break;
        if (bytes[i] < 0x80) {
            ++i;
            continue;
        }
        const std::size_t length = sequence(bytes + i, text.size() - i);
        if (length == 0) return i;
        i += length;
    }
    return i;
}

std::size_t utf8_length(std::string_view text) {
    std::size_t length = 0;
    for (const char c : text) length += (static_cast<unsigned char>(c) & 0xc0) != 0x80;
    return length;
}

}  // namespace moonwire::script
