#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/base/result.hpp"
#include "core/socketio/packet.hpp"

namespace moonwire::socketio {

/// A packet that came as msgpack, in the shape that the rest of the broker knows: JSON with
/// placeholders, and attachments. Owns what `packet` views, so it stays where it was made.
struct MsgpackPacket {
    Packet packet;
    std::string nsp, json;
    std::vector<SharedBytes> attachments;
};

/// Takes apart one message of socket.io-msgpack-parser: a map of `type`, `nsp`, `data` and `id`;
/// other keys are ignored. `undefined` becomes null, a Date its ISO 8601 text, NaN and infinities
/// null (as JSON.stringify has them), binary an attachment. Errors say what is wrong, for the log.
Result<std::unique_ptr<MsgpackPacket>> decode_msgpack(std::string_view message,
                                                      std::size_t max_attachments);

/// The message up to `data`'s value; the body follows, or nothing if there is no data.
std::string msgpack_header(PacketType type, std::string_view nsp, std::optional<AckId> id,
                           bool with_data);
/// The value of `data`. An error if the payload's JSON is not JSON.
Result<std::string> msgpack_body(Payload payload);

}  // namespace moonwire::socketio
