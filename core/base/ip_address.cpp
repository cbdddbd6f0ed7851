#include "core/base/ip_address.hpp"

#include <arpa/inet.h>

#include <algorithm>
#include <cstring>

namespace moonwire {
namespace {

constexpr std::size_t kMappedBytes = kMappedBits / 8;
constexpr std::array<std::uint8_t, 16> kMapped = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};

}  // namespace

std::optional<IpAddress> IpAddress::parse(std::string_view text) {
    const std::string terminated(text);
    IpAddress address;
    address.bytes_ = kMapped;
    if (inet_pton(AF_INET, terminated.c_str(), address.bytes_.data() + kMappedBytes) == 1)
        return address;
    if (inet_pton(AF_INET6, terminated.c_str(), address.bytes_.data()) == 1) return address;
    return std::nullopt;
}

bool IpAddress::is_v4() const noexcept {
    return std::equal(kMapped.begin(), kMapped.begin() + kMappedBytes, bytes_.begin());
}

std::string IpAddress::text() const {
    char text[INET6_ADDRSTRLEN] = {};
    if (is_v4()) inet_ntop(AF_INET, bytes_.data() + kMappedBytes, text, sizeof text);
    else inet_ntop(AF_INET6, bytes_.data(), text, sizeof text);
    return text;
}

bool IpAddress::shares_prefix(const IpAddress& other, unsigned bits) const noexcept {
    const unsigned whole = bits / 8, rest = bits % 8;
    if (std::memcmp(bytes_.data(), other.bytes_.data(), whole) != 0) return false;
    return rest == 0 || (bytes_[whole] ^ other.bytes_[whole]) >> (8 - rest) == 0;
}

std::string IpAddress::key(unsigned ipv6_bits) const {
    if (is_v4()) return '4' + std::string(bytes_.begin() + kMappedBytes, bytes_.end());
    const unsigned bits = std::min(ipv6_bits, 128u), rest = bits % 8;
    std::string key = '6' + std::string(bytes_.begin(), bytes_.begin() + (bits + 7) / 8);
    if (rest != 0) key.back() = static_cast<char>(bytes_[bits / 8] & (0xff << (8 - rest)));
    return key;
}

}  // namespace moonwire
