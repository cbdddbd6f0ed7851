#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/engineio/session.hpp"
#include "core/socketio/packet.hpp"

namespace moonwire::socketio {

/// One EVENT or ACK on its way out, encoded and framed once for all its receivers.
///
/// The frames carry the namespace's name. A receiver that joined under another name (an alias) gets
/// frames of its own, made once an alias. Copies share everything and may go to another reactor;
/// `send` is called on the receiver's reactor and is safe from several at once.
class Outgoing {
public:
    /// `type` is event or ack; attachments turn it into the binary type.
    Outgoing(PacketType type, std::string_view nsp, std::optional<AckId> id, Payload payload);

    /// Sends header and attachments to a session whose client knows the namespace as `wire_nsp`.
    void send(engineio::Session& session, std::string_view wire_nsp,
              engineio::SendOptions options) const;

private:
    struct Encoded {
        PacketType type;
        std::string nsp;
        std::optional<AckId> id;
        std::size_t json_bytes;  // the tail of head's payload
        engineio::Frame head;
        std::vector<engineio::Frame> attachments;
    };
    std::shared_ptr<const Encoded> encoded_;
};

}  // namespace moonwire::socketio
