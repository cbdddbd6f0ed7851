#include "core/script/json_writer.hpp"

#include <charconv>
#include <cmath>
#include <cstdint>

#include "core/base/json_text.hpp"
#include "core/base/utf8.hpp"

namespace moonwire::script {
namespace {

constexpr double kExactIntegers = 9007199254740992.0;  // 2^53

/// Whether eight bytes are ASCII without a control character, quote or backslash.
bool is_plain(std::uint64_t eight) {
    constexpr std::uint64_t kOnes = 0x0101010101010101u, kHighBits = 0x80 * kOnes;
    const auto zero_byte = [](std::uint64_t word) { return (word - kOnes) & ~word; };
    const std::uint64_t odd = eight | (eight - 0x20 * kOnes) | zero_byte(eight ^ ('"' * kOnes)) |
                              zero_byte(eight ^ ('\\' * kOnes));
    return (odd & kHighBits) == 0;
}

/// Copies sizeof(Word) bytes, and gives them.
template <typename Word>
std::uint64_t copy(char* to, const char* from) {
    Word word;
    std::memcpy(&word, from, sizeof word);
    std::memcpy(to, &word, sizeof word);
    return word;
}

/// Copies text; false if some of it needs an escape or a look at its encoding, as little does.
bool copy_plain(char* to, std::string_view text) {
    constexpr std::uint64_t kSpaces = 0x2020202020202020u;  // where there is no text
    const char* const from = text.data();
    const std::size_t size = text.size();
    if (size >= 8) {
        for (std::size_t i = 0; i + 8 < size; i += 8)
            if (!is_plain(copy<std::uint64_t>(to + i, from + i))) return false;
        return is_plain(copy<std::uint64_t>(to + size - 8, from + size - 8));  // some of it again
    }
    if (size >= 4)
        return is_plain(copy<std::uint32_t>(to, from) |
                        copy<std::uint32_t>(to + size - 4, from + size - 4) << 32);
    if (size >= 2)
        return is_plain(copy<std::uint16_t>(to, from) |
                        copy<std::uint16_t>(to + size - 2, from + size - 2) << 16 | kSpaces << 32);
    return size == 0 || is_plain(copy<std::uint8_t>(to, from) | kSpaces << 8);
}

/// Whether the text needs no escape and is ASCII.
bool is_plain(std::string_view text) {
    std::array<char, 64> ignored;
    for (; text.size() > ignored.size(); text.remove_prefix(ignored.size()))
        if (!copy_plain(ignored.data(), text.substr(0, ignored.size()))) return false;
    return copy_plain(ignored.data(), text);
}

constexpr auto kPairs = [] {
    std::array<char, 200> pairs{};
    for (std::size_t i = 0; i < 100; ++i) {
        pairs[2 * i] = static_cast<char>('0' + i / 10);
        pairs[2 * i + 1] = static_cast<char>('0' + i % 10);
    }
    return pairs;
}();

/// Writes the digits before `end`, and says where they begin.
char* write_digits(char* end, std::uint64_t digits) {
    for (; digits >= 100; digits /= 100) std::memcpy(end -= 2, &kPairs[2 * (digits % 100)], 2);
    if (digits >= 10) std::memcpy(end -= 2, &kPairs[2 * digits], 2);
    else *--end = static_cast<char>('0' + digits);
    return end;
}

/// A whole number below 2^53, or a decimal of at most six places, as most measured values and places
/// on a map are: its text, written at the end of `room`. Empty if it is none. Below 2^33 doubles lie
/// closer than 1e-6, so no other such decimal means the same one.
std::string_view simple_number(std::array<char, 32>& room, double value) {
    constexpr double kLimit = 8589934592.0, kMinValue = 1e-3;
    constexpr std::uint32_t kScale = 1'000'000;
    const double magnitude = std::fabs(value);
    auto whole = static_cast<std::uint64_t>(magnitude);
    char* end = room.end();
    char* at = end;
    if (static_cast<double>(whole) != magnitude) {
        if (!(magnitude < kLimit && magnitude >= kMinValue)) return {};
        const auto all = static_cast<std::uint64_t>(magnitude * kScale + 0.5);
        if (static_cast<double>(all) / kScale != magnitude) return {};
        whole = all / kScale;
        auto fraction = static_cast<std::uint32_t>(all % kScale);  // not 0
        for (int i = 0; i < 3; ++i, fraction /= 100)
            std::memcpy(at -= 2, &kPairs[2 * (fraction % 100)], 2);
        while (end[-1] == '0') --end;
        *--at = '.';
    }
    at = write_digits(at, whole);
    if (value < 0) *--at = '-';
    return {at, end};
}

}  // namespace

bool JsonWriter::text(std::string_view text) {
    if (text.size() > kInBlock) return long_or_odd_text(text);
    make_room(text.size() + 2);
    if (!copy_plain(at_ + 1, text)) return long_or_odd_text(text);
    *at_ = '"';
    at_ += text.size() + 1;
    *at_++ = '"';
    return true;
}

bool JsonWriter::long_or_odd_text(std::string_view text) {
    if (is_plain(text)) {
        put('"');
        append(text);
        put('"');
        return true;
    }
    if (valid_utf8_prefix(text) != text.size()) return false;
    flush();
    append_json_string(out_, text);
    return true;
}

void JsonWriter::number(double value) {
    std::array<char, 32> room;
    make_room(room.size());
    // Beyond 2^53 with an exponent, for the digits would read as an exact integer.
    const bool exact = std::fabs(value) <= kExactIntegers;
    if (const auto text = exact ? simple_number(room, value) : std::string_view(); !text.empty()) {
        std::memcpy(at_, text.data(), text.size());
        at_ += text.size();
        return;
    }
    at_ = (exact ? std::to_chars(at_, at_ + room.size(), value)
                 : std::to_chars(at_, at_ + room.size(), value, std::chars_format::scientific))
              .ptr;
}

}  // namespace moonwire::script
