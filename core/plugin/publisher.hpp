#pragma once

#include <memory>
#include <string>
#include <vector>

#include "core/base/limited_log.hpp"
#include "core/plugin/api/adapter.hpp"
#include "core/socketio/peers.hpp"

namespace moonwire::plugin {

/// Tells a plugin's adapter what concerns other nodes. What the plugin throws is logged, at most
/// every few seconds. Any thread, for the reactors of all names share it.
class Publisher final : public socketio::Peers {
public:
    Publisher(std::string plugin, std::shared_ptr<Adapter> adapter);

    void broadcast(const std::string& nsp, const socketio::Target& target,
                   socketio::Payload payload, engineio::SendOptions options) override;
    void join(const std::string& nsp, const socketio::Target& target,
              const std::vector<std::string>& rooms) override;
    void leave(const std::string& nsp, const socketio::Target& target,
               const std::vector<std::string>& rooms) override;
    void disconnect(const std::string& nsp, const socketio::Target& target, bool close) override;
    void server_emit(const std::string& nsp, socketio::Payload payload) override;

private:
    void publish(ClusterMessage message) noexcept;

    const std::string plugin_;
    const std::shared_ptr<Adapter> adapter_;
    LimitedLog failures_;
};

}  // namespace moonwire::plugin
