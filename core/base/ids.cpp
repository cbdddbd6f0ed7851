#include "core/base/ids.hpp"

#include <sys/random.h>

#include <array>
#include <cerrno>
#include <cstddef>
#include <cstdio>
#include <cstdlib>

namespace moonwire {
namespace {

constexpr std::string_view kAlphabet =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
constexpr std::size_t kIdLength = 20;

/// Random bytes, drawn from the kernel in blocks so that an id seldom costs a system call.
void random_bytes(unsigned char* out, std::size_t count) {
    thread_local std::array<unsigned char, 960> pool;
    thread_local std::size_t used = pool.size();
    if (used + count > pool.size()) {
        std::size_t filled = 0;
        while (filled < pool.size()) {
            const ssize_t got = getrandom(pool.data() + filled, pool.size() - filled, 0);
            if (got > 0) filled += static_cast<std::size_t>(got);
            else if (errno != EINTR) std::abort();  // no entropy: ids would be guessable
        }
        used = 0;
    }
    for (std::size_t i = 0; i < count; ++i) {
        out[i] = pool[used];
        pool[used++] = 0;
    }
}

}  // namespace

std::string make_id(unsigned char tag) {
    unsigned char raw[15];
    raw[0] = tag;
    random_bytes(raw + 1, sizeof raw - 1);
    std::string id;
    id.reserve(kIdLength);
    for (std::size_t i = 0; i < sizeof raw; i += 3) {
        const unsigned group = unsigned{raw[i]} << 16 | unsigned{raw[i + 1]} << 8 | raw[i + 2];
        for (int shift = 18; shift >= 0; shift -= 6) id += kAlphabet[group >> shift & 63];
    }
    return id;
}

std::optional<unsigned char> id_tag(std::string_view id) {
    if (id.size() != kIdLength) return std::nullopt;
    const auto first = kAlphabet.find(id[0]);
    const auto second = kAlphabet.find(id[1]);
    if (first == std::string_view::npos || second == std::string_view::npos) return std::nullopt;
    return static_cast<unsigned char>(first << 2 | second >> 4);
}

std::string make_uuid() {
    unsigned char raw[16];
    random_bytes(raw, sizeof raw);
    raw[6] = static_cast<unsigned char>((raw[6] & 0x0f) | 0x40);
    raw[8] = static_cast<unsigned char>((raw[8] & 0x3f) | 0x80);
    char text[37];
    std::snprintf(text, sizeof text,
                  "%02x%02x%02x%02x-%02x%02x-%02x%02x-%02x%02x-%02x%02x%02x%02x%02x%02x", raw[0],
                  raw[1], raw[2], raw[3], raw[4], raw[5], raw[6], raw[7], raw[8], raw[9], raw[10],
                  raw[11], raw[12], raw[13], raw[14], raw[15]);
    return text;
}

}  // namespace moonwire
