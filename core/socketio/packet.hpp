#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "core/base/bytes.hpp"
#include "core/base/result.hpp"

namespace moonwire::socketio {

/// Socket.IO protocol v5. The numbers are the wire's.
enum class PacketType : std::uint8_t {
    connect = 0,
    disconnect = 1,
    event = 2,
    ack = 3,
    connect_error = 4,
    binary_event = 5,
    binary_ack = 6,
};

/// Links an event to its acknowledgement.
using AckId = std::uint64_t;

/// Numbers a namespace's events, for clients that come back (see Recovery).
using Offset = std::uint64_t;

/// How packets are written: as the default parser does, or as socket.io-msgpack-parser does.
enum class Format : std::uint8_t { json, msgpack };

/// A decoded text packet: views into the text it came from.
struct Packet {
    PacketType type = PacketType::connect;
    std::string_view nsp = "/";
    std::string_view query;     // what clients of protocol 4 append to it: "?a=b" without the mark
    std::optional<AckId> id;
    std::size_t attachments = 0;  // binary messages that follow (types 5 and 6)
    std::string_view data;        // JSON; its first byte is checked, the rest is not parsed
};

/// Who wrote a packet: only servers send CONNECT_ERROR.
enum class Sender : std::uint8_t { client, server };

/// `<type>[<attachments>-][<nsp>,][<id>][json]`. An error says what is wrong, for the log.
Result<Packet> decode_packet(std::string_view text, std::size_t max_attachments,
                             Sender sender = Sender::client);

/// The event name of an EVENT's data (`["name",...]`; a numeric name as its text), unescaped.
/// Reserved names, other first elements and malformed JSON before the name's end are errors.
Result<std::string> event_name(std::string_view data);

/// What the protocol keeps for itself: connect, connect_error, disconnect, disconnecting,
/// newListener, removeListener.
bool is_reserved_event(std::string_view name);

/// `<type>[<attachments>-][<nsp>,][<id>]`: what stands before the JSON.
std::string packet_header(PacketType type, std::string_view nsp, std::optional<AckId> id = {},
                          std::size_t attachments = 0);

/// The arguments of an event or an acknowledgement: a JSON array, in which
/// `{"_placeholder":true,"num":n}` stands for attachment n. A view; valid during the call.
struct Payload {
    std::string_view json = "[]";
    std::span<const SharedBytes> attachments = {};
};

/// A Payload that owns its bytes: what waits in a queue or crosses to another reactor.
struct OwnedPayload {
    std::string json = "[]";
    std::vector<SharedBytes> attachments;

    OwnedPayload() = default;
    explicit OwnedPayload(Payload payload)
        : json(payload.json),
          attachments(payload.attachments.begin(), payload.attachments.end()) {}
    Payload view() const { return {json, attachments}; }
};

}  // namespace moonwire::socketio
