#include "core/base/utf8.hpp"

#include <cstdint>
#include <cstring>

namespace moonwire {
std::size_t utf8_sequence(std::string_view text) {
    if (text.empty()) return 0;
    const auto at = [&](std::size_t i) { return static_cast<unsigned char>(text[i]); };
    const unsigned char lead = at(0);
    const std::size_t length = lead >= 0xc2 && lead <= 0xdf   ? 2
                               : lead >= 0xe0 && lead <= 0xef ? 3
                               : lead >= 0xf0 && lead <= 0xf4 ? 4
                                                              : 0;
    if (length == 0 || text.size() < length) return 0;
    for (std::size_t i = 1; i < length; ++i)
        if ((at(i) & 0xc0) != 0x80) return 0;
    if ((lead == 0xe0 && at(1) < 0xa0) || (lead == 0xed && at(1) > 0x9f) ||
        (lead == 0xf0 && at(1) < 0x90) || (lead == 0xf4 && at(1) > 0x8f))
        return 0;
    return length;
}

namespace {

std::uint64_t load(const char* text) {
    std::uint64_t eight;
    std::memcpy(&eight, text, sizeof eight);
    return eight;
}

}  // namespace

std::size_t valid_utf8_prefix(std::string_view text) {
    constexpr std::uint64_t kHighBits = 0x8080808080808080u;
    std::size_t i = 0;
    while (i < text.size()) {
        for (; text.size() - i >= 32; i += 32) {
            const char* const at = text.data() + i;
            if ((load(at) | load(at + 8) | load(at + 16) | load(at + 24)) & kHighBits) break;
        }
        for (; text.size() - i >= 8; i += 8)
            if (load(text.data() + i) & kHighBits) break;
        if (i == text.size()) break;
        if (static_cast<unsigned char>(text[i]) < 0x80) {
            ++i;
            continue;
        }
        const std::size_t length = utf8_sequence(text.substr(i));
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

}  // namespace moonwire
