// The plugin "upstream": connections to other Socket.IO servers, for scripts. The client is the
// broker's (Host::connect); here is what scripts make of it.
#include <chrono>
#include <cstdlib>
#include <memory>

#include "core/plugin/api/plugin.hpp"
#include "plugins/upstream/array_text.hpp"
#include "plugins/upstream/connections.hpp"
#include "plugins/upstream/lua_source.hpp"

namespace moonwire::upstream {
namespace {

using namespace plugin;

// To send what is queued, two seconds, and to say goodbye, another two.
constexpr std::chrono::seconds kClosePatience{6};

class UpstreamPlugin final : public Plugin {
public:
    void configure(Host& host, Settings&) override {
        host_ = &host;
        connections_ = std::make_unique<Connections>(host);
        Module module;
        module.script = lua_files().front().text;
        module.wanted = [this](const Call& call) {
            connections_->settle(call.nsp, read_wanted(call.arguments.json));
        };
        // The first argument of all is the connection's name.
        module.immediate["emit"] = [this](const Call& call) {
            Values values = call.arguments;
            const auto connection = find(call.nsp, values);
            const std::string event = take_text(values.json);
            return connection ? connection->emit(event, std::move(values))
                              : Answer::nothing("closed");
        };
        module.immediate["reconnect"] = [this](const Call& call) {
            Values values = call.arguments;
            if (const auto connection = find(call.nsp, values)) connection->reconnect();
            return Answer::values("[]");
        };
        module.waiting["call"] = [this](Call call, Reply reply) {
            const auto connection = find(call.nsp, call.arguments);
            if (!connection) return reply(Answer::nothing("closed"));
            const double seconds = std::atof(take_first(call.arguments.json).c_str());
            const std::string event = take_text(call.arguments.json);
            connection->call(event, std::move(call.arguments),
                             std::chrono::milliseconds(static_cast<std::int64_t>(seconds * 1000)),
                             std::move(reply));
        };
        module.waiting["status"] = [this](Call call, Reply reply) {
            const auto connection = find(call.nsp, call.arguments);
            if (!connection) return reply(Answer::nothing("closed"));
            connection->status(std::move(reply));
        };
        host.provide(std::move(module));
    }
    void drain() override { connections_->drain(); }
    void stop() override {
        if (!connections_->close(kClosePatience))
            host_->log(LogLevel::warn, "some connections did not close in time");
    }

private:
    std::shared_ptr<Connection> find(const std::string& nsp, Values& values) {
        return connections_->find(nsp, take_text(values.json));
    }

    Host* host_ = nullptr;
    std::unique_ptr<Connections> connections_;
};

}  // namespace
}  // namespace moonwire::upstream

MOONWIRE_PLUGIN("upstream", moonwire::upstream::UpstreamPlugin)
