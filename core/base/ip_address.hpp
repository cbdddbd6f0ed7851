#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace moonwire {

/// An IPv4 or IPv6 address; the former as ::ffff:a.b.c.d. A value.
class IpAddress {
public:
    /// Nothing if the text is none, as "unix:" is.
    static std::optional<IpAddress> parse(std::string_view text);

    bool is_v4() const noexcept;
    const std::array<std::uint8_t, 16>& bytes() const noexcept { return bytes_; }
    std::string text() const;
    /// Whether both begin with the same `bits`, of the 128 that IPv4 addresses have, too.
    bool shares_prefix(const IpAddress& other, unsigned bits) const noexcept;
    /// What limits by address count by: all of an IPv4 address, the first `ipv6_bits` of an IPv6
    /// one, for one host has a whole network of these. Bytes, no text.
    std::string key(unsigned ipv6_bits) const;

private:
    std::array<std::uint8_t, 16> bytes_{};
};

/// How many leading bits every IPv4 address has in common as an IpAddress.
inline constexpr unsigned kMappedBits = 96;

}  // namespace moonwire
