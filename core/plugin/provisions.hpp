#pragma once

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/plugin/api/adapter.hpp"
#include "core/plugin/api/authenticator.hpp"
#include "core/plugin/api/http.hpp"
#include "core/plugin/api/metrics.hpp"
#include "core/plugin/api/module.hpp"
#include "core/plugin/api/store.hpp"
#include "core/socketio/peers.hpp"

namespace moonwire::plugin {

/// What all plugins together provide. What the plugins gave is wrapped: nothing in here throws;
/// what a plugin throws is logged with its name, and whoever called gets an error.
///
/// Filled while the plugins are configured, on one thread; from then on it does not change: any
/// thread.
class Provisions {
public:
    // Each throws std::logic_error if it is taken already.
    void add(const std::string& plugin, Module module);
    void add(const std::string& plugin, HttpRoute route);
    void add(const std::string& plugin, std::shared_ptr<Authenticator> authenticator);
    void add(const std::string& plugin, std::shared_ptr<Adapter> adapter);
    void add(const std::string& plugin, MetricsSource source);
    void add(const std::string& plugin, StoreKind store);

    /// By the plugin's name.
    const std::map<std::string, Module, std::less<>>& modules() const noexcept { return modules_; }
    /// Null if no plugin is one.
    const std::shared_ptr<Authenticator>& authenticator() const noexcept { return authenticator_; }

    /// The other nodes, by way of the adapter. Null if no plugin is one.
    socketio::Peers* peers() const noexcept { return peers_.get(); }

    /// The figures of all plugins now. What is not named after its plugin is left out, and logged
    /// once.
    Metrics metrics() const;

    /// The plugins that provide a store, in the order of their names.
    std::vector<std::string> store_kinds() const;
    /// A store of this plugin's kind, which is only made when it is started. Null if there is none.
    std::unique_ptr<Store> make_store(std::string_view plugin, const StoreLimits& limits) const;

    /// The route that serves a path: the longest. Null if there is none.
    const HttpRoute* find_route(std::string_view path) const;

private:
    struct Served {
        std::string plugin;
        HttpRoute route;
    };
    std::map<std::string, Module, std::less<>> modules_;
    std::vector<Served> routes_;
    std::vector<MetricsSource> sources_;
    std::map<std::string, StoreKind, std::less<>> stores_;  // by plugin
    std::string authenticating_;  // the plugin
    std::shared_ptr<Authenticator> authenticator_;
    std::string adapting_;  // the plugin
    std::shared_ptr<socketio::Peers> peers_;
};

}  // namespace moonwire::plugin
