#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "core/engineio/session.hpp"
#include "core/socketio/handler.hpp"
#include "core/socketio/namespace.hpp"
#include "core/socketio/peers.hpp"

namespace moonwire::socketio {

/// What a name means: a namespace; all members of a family; or, among other nodes, a member of a
/// family that is not here now. A snapshot, which may be made on any thread; what it does is done
/// on `home`, where all its members live.
class Group {
public:
    explicit Group(std::shared_ptr<Namespace> nsp);
    Group(std::string name, Reactor& home, std::shared_ptr<NamespaceHandler> handler,
          std::vector<std::shared_ptr<Namespace>> members, Peers* peers);

    Reactor& home() const noexcept { return *home_; }
    /// Those that are here.
    const std::vector<std::shared_ptr<Namespace>>& members() const noexcept { return members_; }
    /// Nobody is here, and there are no other nodes.
    bool reaches_nobody() const noexcept { return members_.empty() && !peers_; }

    // To other nodes, too, unless the target is `here` only. `payload` is `["event",...]`.
    void broadcast(const Target& target, Payload payload, engineio::SendOptions options) const;
    void join(const Target& target, const std::vector<std::string>& rooms) const;
    void leave(const Target& target, const std::vector<std::string>& rooms) const;
    void disconnect(const Target& target, bool close) const;

    /// Raises `on_server` of the name on the other nodes, and only there.
    void server_emit(Payload payload) const;
    /// Raises it here. From the loop.
    void server_event(std::string_view event, Payload payload) const;

private:
    /// The namespace that the name stands for: it tells the others itself.
    bool is_one() const noexcept;
    /// `tell` is given the other nodes, if it is for them; `act` each member and whom it concerns.
    template <typename Tell, typename Act>
    void all(const Target& target, Tell tell, Act act) const;

    std::string name_;
    Reactor* home_;
    std::shared_ptr<NamespaceHandler> handler_;
    std::vector<std::shared_ptr<Namespace>> members_;
    Peers* peers_;
};

}  // namespace moonwire::socketio
