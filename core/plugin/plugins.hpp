#pragma once

#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "core/base/result.hpp"
#include "core/plugin/api/client.hpp"
#include "core/plugin/api/http.hpp"
#include "core/plugin/api/setting_node.hpp"
#include "core/plugin/api/values.hpp"
#include "core/plugin/provisions.hpp"
#include "core/socketio/packet.hpp"

namespace moonwire::socketio {
class Server;
}

namespace moonwire::plugin {

/// What [plugins] says.
struct PluginSettings {
    std::vector<std::string> load;              // names and paths
    std::string load_where;                     // of that: "moonwire.toml:3"
    std::vector<std::filesystem::path> path;    // folders, before those beside the binary
    std::map<std::string, SettingNode> tables;  // by plugin
};

/// What a plugin's own Lua in a namespace handles.
struct AskedHandler {
    std::string plugin, nsp, name;
};

/// What the broker gives plugins at work. Called on any thread.
struct Surroundings {
    socketio::Server* sockets = nullptr;
    std::function<void(OutgoingHttp, std::function<void(HttpAnswer)>)> request;
    std::function<Result<std::shared_ptr<Client>>(ClientOptions, ClientListener)> connect;
    std::function<std::string()> stats;
    /// A namespace's or a family's `on_server`; the payload is `["event",…]`. False: no such
    /// scripts.
    std::function<bool(const std::string& nsp, const std::string& event, socketio::OwnedPayload)>
        deliver;
    /// Bridge::ask; the payload is an array.
    std::function<void(AskedHandler, socketio::OwnedPayload, Reply)> ask;
};

/// The plugins of this process: loads them, gives them their settings, starts and ends them.
///
/// Made, loaded, started and ended on one thread; what they provide is used on any. Outlives
/// whoever uses that.
class Plugins {
public:
    Plugins();
    ~Plugins();

    /// Opens and configures them, in the order in which they need each other. What is wrong with
    /// one of them, with its place; with any error the rest is not to be used. Once.
    std::vector<Error> load(const PluginSettings& settings);
    /// Of the last load: nothing that ends a start.
    const std::vector<std::string>& warnings() const noexcept;
    /// In the order in which they start.
    std::vector<std::string> names() const;

    const Provisions& provisions() const noexcept;

    /// Starts them. An error names the plugin; those before it are stopped again. `surroundings`
    /// lives until they are stopped; without one they find nobody outside.
    Result<void> start(Surroundings surroundings = {});
    /// The opposite order; each once, whatever a plugin throws. After `stop` they are gone, and
    /// what they provided must not be called any more.
    void drain();
    void stop();

private:
    struct Loaded;
    std::vector<Error> open_all(const PluginSettings& settings);
    void configure_all(const PluginSettings& settings, std::vector<Error>& errors);

    Surroundings surroundings_;
    Provisions provisions_;
    std::vector<std::unique_ptr<Loaded>> plugins_;  // in their order
    std::size_t started_ = 0;                       // of them, from the front
    bool drained_ = false;
    std::vector<std::string> warnings_;
};

}  // namespace moonwire::plugin
