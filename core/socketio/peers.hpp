#pragma once

#include <string>
#include <vector>

#include "core/engineio/session.hpp"
#include "core/socketio/packet.hpp"
#include "core/socketio/room_table.hpp"

namespace moonwire::socketio {

/// The other nodes of a cluster: hears everything that concerns the sockets of a name wherever they
/// are. Implemented by the layer above; what other nodes say comes back through Group, with targets
/// that are `here` only.
///
/// Called on the home reactor of the name, in the order in which things were done there, before
/// they are done here. `nsp` is a namespace or a family's pattern, for all its members. Must return
/// soon and throws nothing.
class Peers {
public:
    virtual ~Peers() = default;

    /// `payload` is `["event",...]`.
    virtual void broadcast(const std::string& nsp, const Target& target, Payload payload,
                           engineio::SendOptions options) = 0;
    virtual void join(const std::string& nsp, const Target& target,
                      const std::vector<std::string>& rooms) = 0;
    virtual void leave(const std::string& nsp, const Target& target,
                       const std::vector<std::string>& rooms) = 0;
    virtual void disconnect(const std::string& nsp, const Target& target, bool close) = 0;
    /// For the handlers of the name: their `on_server_event`.
    virtual void server_emit(const std::string& nsp, Payload payload) = 0;
};

}  // namespace moonwire::socketio
