#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "core/engineio/session.hpp"
#include "core/socketio/packet.hpp"

namespace moonwire::socketio {

/// One EVENT or ACK on its way out, encoded and framed once for all its receivers.
///
/// The frames carry the namespace's name, so they fit clients that know it by that name; see FanOut
/// for those that joined under an alias. Copies share the bytes and may go to another reactor.
class Outgoing {
public:
    /// `type` is event or ack; attachments turn it into the binary type. `offset` becomes an
    /// event's last argument.
    Outgoing(Format format, PacketType type, std::string_view nsp, std::optional<AckId> id,
             Payload payload, std::optional<Offset> offset = {});

    void send(engineio::Session& session, engineio::SendOptions options) const {
        send_as(head_, session, options);
    }
    std::size_t bytes() const noexcept;

private:
    friend class FanOut;
    void send_as(const engineio::Frame& head, engineio::Session& session,
                 engineio::SendOptions options) const {
        // One turn, one verdict: nothing is written between these, so a volatile packet is dropped
        // or sent whole.
        session.send(head, options);
        for (const engineio::Frame& attachment : attachments_) session.send(attachment, options);
    }

    Format format_;
    PacketType type_;
    std::string nsp_;
    std::optional<AckId> id_;
    std::size_t body_bytes_ = 0;  // the tail of head_'s payload: what does not depend on the name
    engineio::Frame head_;
    std::vector<engineio::Frame> attachments_;
};

/// The frame of a packet without attachments: the answers to CONNECT, DISCONNECT. `json` may be
/// empty.
engineio::Frame control_frame(Format format, PacketType type, std::string_view nsp,
                              std::string_view json);

/// Sends one packet to many sessions of one reactor, making the frames of each alias once.
class FanOut {
public:
    FanOut(const Outgoing& packet, engineio::SendOptions options)
        : packet_(packet), options_(options) {}

    /// `wire_nsp` is the name by which this receiver knows the namespace.
    void send(engineio::Session& session, const std::string& wire_nsp) {
        packet_.send_as(wire_nsp == packet_.nsp_ ? packet_.head_ : head_for(wire_nsp), session,
                        options_);
    }

private:
    const engineio::Frame& head_for(const std::string& wire_nsp);

    const Outgoing& packet_;
    const engineio::SendOptions options_;
    std::vector<std::pair<std::string, engineio::Frame>> aliases_;
};

}  // namespace moonwire::socketio
