#include "core/socketio/group.hpp"

#include <algorithm>
#include <utility>

namespace moonwire::socketio {

Group::Group(std::shared_ptr<Namespace> nsp)
    : name_(nsp->name()), home_(&nsp->reactor()), handler_(nsp->handler()), peers_(nsp->peers()) {
    members_.push_back(std::move(nsp));
}

Group::Group(std::string name, Reactor& home, std::shared_ptr<NamespaceHandler> handler,
             std::vector<std::shared_ptr<Namespace>> members, Peers* peers)
    : name_(std::move(name)),
      home_(&home),
      handler_(std::move(handler)),
      members_(std::move(members)),
      peers_(peers) {}

bool Group::is_one() const noexcept {
    return members_.size() == 1 && members_.front()->name() == name_;
}

template <typename Tell, typename Act>
void Group::all(const Target& target, Tell tell, Act act) const {
    if (is_one()) return act(*members_.front(), target);
    const bool told = peers_ && !target.here &&
                      std::none_of(members_.begin(), members_.end(),
                                   [&](const auto& nsp) { return nsp->is_private(target); });
    if (told) tell(*peers_);
    Target here = target;
    here.here = true;
    for (const auto& nsp : members_) act(*nsp, here);
}

void Group::broadcast(const Target& target, Payload payload, engineio::SendOptions options) const {
    all(
        target, [&](Peers& peers) { peers.broadcast(name_, target, payload, options); },
        [&](Namespace& nsp, const Target& whom) { nsp.broadcast(whom, payload, options); });
}

void Group::join(const Target& target, const std::vector<std::string>& rooms) const {
    all(
        target, [&](Peers& peers) { peers.join(name_, target, rooms); },
        [&](Namespace& nsp, const Target& whom) { nsp.join(whom, rooms); });
}

void Group::leave(const Target& target, const std::vector<std::string>& rooms) const {
    all(
        target, [&](Peers& peers) { peers.leave(name_, target, rooms); },
        [&](Namespace& nsp, const Target& whom) { nsp.leave(whom, rooms); });
}

void Group::disconnect(const Target& target, bool close) const {
    all(
        target, [&](Peers& peers) { peers.disconnect(name_, target, close); },
        [&](Namespace& nsp, const Target& whom) { nsp.disconnect(whom, close); });
}

void Group::server_emit(Payload payload) const {
    if (peers_) peers_->server_emit(name_, payload);
}

void Group::server_event(std::string_view event, Payload payload) const {
    if (handler_) handler_->on_server_event(event, payload);
}

}  // namespace moonwire::socketio
