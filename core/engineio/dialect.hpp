#pragma once

#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "core/base/function.hpp"
#include "core/engineio/packet.hpp"
#include "core/transport/frame.hpp"
#include "core/transport/http.hpp"

namespace moonwire::engineio {

/// How one client's transport reads and writes packets: all that the protocol's versions and `b64`
/// differ in on the wire. A value; any thread.
struct Dialect {
    unsigned protocol = 4;  // 3 or 4
    bool base64 = false;    // the client can't take bytes: binary goes out as text

    /// What the request's query says. As the reference: whatever is not 4 is 3.
    static Dialect of(const transport::HttpRequest& request);

    /// A packet as a WebSocket carries it to this client: the shared frame, unless it is binary and
    /// the client wants that otherwise.
    transport::Frame frame_for(const transport::Frame& frame) const {
        return frame.is_binary() && (protocol == 3 || base64) ? own_binary(frame) : frame;
    }
    /// A WebSocket message as a packet, valid as long as `payload` and `bytes`, which holds what
    /// base64 decoded to; nothing if it is malformed.
    std::optional<Packet> decode_frame(std::string_view payload, bool binary,
                                       std::string& bytes) const;

    /// A polling response's body.
    struct Body {
        std::string bytes;
        bool binary = false;
    };
    Body encode_payload(std::span<const transport::Frame> frames) const;
    /// Calls `visit` with each packet of a POST's body until it returns false. False if the body is
    /// malformed; the packets before the mistake were visited. `binary`: the body calls itself
    /// bytes.
    bool decode_payload(std::string_view body, bool binary,
                        Function<bool(const Packet&)> visit) const;

private:
    transport::Frame own_binary(const transport::Frame& frame) const;
};

}  // namespace moonwire::engineio
