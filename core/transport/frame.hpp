#pragma once

#include <cstdint>
#include <initializer_list>
#include <string_view>

#include "core/base/bytes.hpp"

namespace moonwire::transport {

/// One whole server-to-client WebSocket message, framed once and shared by all its receivers: an
/// unmasked, unfragmented frame (RFC 6455 section 5.2) whose payload a polling response can carry
/// too. Copies share the bytes; any thread.
class Frame {
public:
    Frame() noexcept = default;
    static Frame text(std::initializer_list<std::string_view> parts) { return make(false, parts); }
    static Frame binary(std::string_view payload) { return make(true, {payload}); }

    bool is_binary() const noexcept { return binary_; }
    std::string_view payload() const noexcept { return wire_.view().substr(header_bytes_); }
    /// Header and payload, as they go on the wire.
    const SharedBytes& wire() const noexcept { return wire_; }
    bool empty() const noexcept { return wire_.empty(); }

private:
    static Frame make(bool binary, std::initializer_list<std::string_view> parts);

    SharedBytes wire_;
    std::uint8_t header_bytes_ = 0;
    bool binary_ = false;
};

}  // namespace moonwire::transport
