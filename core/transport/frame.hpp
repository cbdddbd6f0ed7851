#pragma once

#include <cstdint>
#include <initializer_list>
#include <string_view>

#include "core/base/bytes.hpp"

namespace moonwire::transport {

class Deflater;

/// One whole server-to-client WebSocket message, framed once and shared by all its receivers: an
/// unmasked, unfragmented frame (RFC 6455 section 5.2) whose payload a polling response can carry
/// too. Copies share the bytes, and the compressed ones once somebody needs them; any thread.
class Frame {
public:
    Frame() noexcept = default;
    static Frame text(std::initializer_list<std::string_view> parts) { return make(false, parts); }
    static Frame binary(std::string_view payload) { return make(true, {payload}); }
    static Frame binary(std::initializer_list<std::string_view> parts) { return make(true, parts); }

    bool is_binary() const noexcept { return binary_; }
    std::string_view payload() const noexcept { return wire_.view().substr(header_bytes_); }
    /// Header and payload, as they go on the wire.
    const SharedBytes& wire() const noexcept { return wire_; }
    /// The same message compressed, for receivers that agreed to permessage-deflate: made once, by
    /// the first to ask. As `wire` where that is no smaller.
    SharedBytes deflated(Deflater& deflater) const;
    bool empty() const noexcept { return wire_.empty(); }

private:
    static Frame make(bool binary, std::initializer_list<std::string_view> parts);

    SharedBytes wire_;
    std::uint8_t header_bytes_ = 0;
    bool binary_ = false;
};

}  // namespace moonwire::transport
