#include "core/plugin/provisions.hpp"

#include <algorithm>
#include <atomic>
#include <functional>
#include <iterator>
#include <stdexcept>
#include <utility>

#include "core/base/log.hpp"
#include "core/plugin/guarded.hpp"
#include "core/plugin/guarded_store.hpp"
#include "core/plugin/publisher.hpp"
#include "core/plugin/stores.hpp"

namespace moonwire::plugin {
namespace {

Answer failed(const std::string& plugin, const std::string& function) {
    return Answer::error("plugin." + plugin + ": " + function + " failed");
}

/// Keeps what a plugin's authenticator throws from the broker.
class GuardedAuthenticator final : public Authenticator {
public:
    GuardedAuthenticator(std::string plugin, std::shared_ptr<Authenticator> inner)
        : plugin_(std::move(plugin)), inner_(std::move(inner)) {}
    void verify(Credentials credentials, std::function<void(Verdict)> decide) override {
        const bool done =
            guarded(plugin_, "verify", [&] { inner_->verify(std::move(credentials), decide); });
        if (!done) decide(Verdict::refuse("unavailable", "tokens can't be verified now"));
    }

private:
    const std::string plugin_;
    const std::shared_ptr<Authenticator> inner_;
};

bool serves(const HttpRoute& route, std::string_view path) {
    return route.path.ends_with('/') ? path.starts_with(route.path) : path == route.path;
}

}  // namespace

void Provisions::add(const std::string& plugin, Module module) {
    Module& all = modules_[plugin];
    const auto check = [&](const std::string& name) {
        if (all.immediate.contains(name) || all.waiting.contains(name))
            throw std::logic_error("a second function '" + name + "'");
    };
    for (auto& [name, function] : module.immediate) {
        check(name);
        all.immediate[name] = [plugin, name = name, function = function](const Call& call) {
            Answer answer;
            const bool done = guarded(plugin, name, [&] { answer = function(call); });
            return done ? answer : failed(plugin, name);
        };
    }
    for (auto& [name, function] : module.waiting) {
        check(name);
        all.waiting[name] = [plugin, name = name, function = function](Call call, Reply reply) {
            const bool done = guarded(plugin, name, [&] { function(std::move(call), reply); });
            if (!done) reply(failed(plugin, name));
        };
    }
    if (!module.script.empty()) {
        if (!all.script.empty()) throw std::logic_error("a second script");
        all.script = std::move(module.script);
    }
    if (module.wanted) {
        if (all.wanted) throw std::logic_error("a second function 'wanted'");
        all.wanted = [plugin, wanted = std::move(module.wanted)](const Call& call) {
            guarded(plugin, "wanted", [&] { wanted(call); });
        };
    }
}

void Provisions::add(const std::string& plugin, HttpRoute route) {
    if (!route.path.starts_with('/')) throw std::logic_error("a route's path starts with '/'");
    for (const Served& each : routes_)
        if (each.route.path == route.path)
            throw std::logic_error("plugin " + each.plugin + " serves " + route.path + " already");
    route.handle = [plugin, path = route.path, handle = std::move(route.handle)](
                       HttpRequest request, Respond respond) {
        const bool done = guarded(plugin, path, [&] { handle(std::move(request), respond); });
        if (!done)
            respond(
                {500, {{"content-type", "text/plain; charset=UTF-8"}}, "Internal Server Error\n"});
    };
    routes_.push_back({plugin, std::move(route)});
}

void Provisions::add(const std::string& plugin, std::shared_ptr<Authenticator> authenticator) {
    if (!authenticator) throw std::logic_error("an authenticator that is none");
    if (authenticator_)
        throw std::logic_error("plugin " + authenticating_ + " is the authenticator already");
    authenticating_ = plugin;
    authenticator_ = std::make_shared<GuardedAuthenticator>(plugin, std::move(authenticator));
}

void Provisions::add(const std::string& plugin, std::shared_ptr<Adapter> adapter) {
    if (!adapter) throw std::logic_error("an adapter that is none");
    if (peers_) throw std::logic_error("plugin " + adapting_ + " is the adapter already");
    adapting_ = plugin;
    peers_ = std::make_shared<Publisher>(plugin, std::move(adapter));
}

void Provisions::add(const std::string& plugin, MetricsSource source) {
    std::string prefix = plugin + "_";
    std::replace(prefix.begin(), prefix.end(), '-', '_');
    const auto told = std::make_shared<std::atomic<bool>>(false);
    sources_.push_back([plugin, prefix, told, source = std::move(source)](Metrics& all) {
        Metrics own;
        if (!guarded(plugin, "metrics", [&] { source(own); })) return;
        for (MetricFamily& family : own) {
            if (family.name.starts_with(prefix)) all.push_back(std::move(family));
            else if (!told->exchange(true))
                log::warn("a plugin's metric is not named after it",
                          {{"plugin", plugin}, {"metric", family.name}, {"expected", prefix}});
        }
    });
}

void Provisions::add(const std::string& plugin, StoreKind store) {
    if (!store.make) throw std::logic_error("a kind of store that makes none");
    if (std::find(std::begin(kBuiltInStores), std::end(kBuiltInStores), plugin) !=
        std::end(kBuiltInStores))
        throw std::logic_error("the broker has a store " + plugin + " of its own");
    if (!stores_.emplace(plugin, std::move(store)).second)
        throw std::logic_error("a second kind of store");
}

std::unique_ptr<Store> Provisions::make_store(std::string_view plugin,
                                              const StoreLimits& limits) const {
    const auto found = stores_.find(plugin);
    if (found == stores_.end()) return nullptr;
    return std::make_unique<GuardedStore>(found->first, found->second, limits);
}

std::vector<std::string> Provisions::store_kinds() const {
    std::vector<std::string> names;
    for (const auto& [plugin, store] : stores_) names.push_back(plugin);
    return names;
}

Metrics Provisions::metrics() const {
    Metrics all;
    for (const MetricsSource& source : sources_) source(all);
    return all;
}

const HttpRoute* Provisions::find_route(std::string_view path) const {
    const HttpRoute* best = nullptr;
    for (const Served& each : routes_)
        if (serves(each.route, path) && (!best || each.route.path.size() > best->path.size()))
            best = &each.route;
    return best;
}

}  // namespace moonwire::plugin
