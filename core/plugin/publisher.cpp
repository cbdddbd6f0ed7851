#include "core/plugin/publisher.hpp"

#include <exception>
#include <utility>

namespace moonwire::plugin {
namespace {

ClusterTarget cluster_target(const socketio::Target& target) {
    return {target.rooms, target.except};
}

Values values_of(socketio::Payload payload) {
    Values values{std::string(payload.json), {}};
    for (const SharedBytes& each : payload.attachments)
        values.attachments.emplace_back(each.view());
    return values;
}

}  // namespace

Publisher::Publisher(std::string plugin, std::shared_ptr<Adapter> adapter)
    : plugin_(std::move(plugin)),
      adapter_(std::move(adapter)),
      failures_(log::Level::error, "plugin failed") {}

void Publisher::broadcast(const std::string& nsp, const socketio::Target& target,
                          socketio::Payload payload, engineio::SendOptions options) {
    publish({nsp, ClusterBroadcast{cluster_target(target), values_of(payload), options.is_volatile,
                                   options.compress}});
}

void Publisher::join(const std::string& nsp, const socketio::Target& target,
                     const std::vector<std::string>& rooms) {
    publish({nsp, ClusterJoin{cluster_target(target), rooms}});
}

void Publisher::leave(const std::string& nsp, const socketio::Target& target,
                      const std::vector<std::string>& rooms) {
    publish({nsp, ClusterLeave{cluster_target(target), rooms}});
}

void Publisher::disconnect(const std::string& nsp, const socketio::Target& target, bool close) {
    publish({nsp, ClusterDisconnect{cluster_target(target), close}});
}

void Publisher::server_emit(const std::string& nsp, socketio::Payload payload) {
    publish({nsp, ClusterServerEmit{values_of(payload)}});
}

void Publisher::publish(ClusterMessage message) noexcept {
    std::string reason = "an exception of an unknown type";
    try {
        adapter_->publish(std::move(message));
        return;
    } catch (const std::exception& exception) {
        reason = exception.what();
    } catch (...) {
    }
    failures_.write(Clock::now(), 1, [&] {
        return std::vector<log::Field>{{"plugin", plugin_}, {"in", "publish"}, {"reason", reason}};
    });
}

}  // namespace moonwire::plugin
