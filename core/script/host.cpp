#include "core/script/host.hpp"

#include <algorithm>
#include <atomic>
#include <map>
#include <mutex>
#include <set>
#include <utility>

#include "core/base/log.hpp"
#include "core/base/token_bucket.hpp"
#include "core/script/app_files.hpp"
#include "core/script/catalogue.hpp"
#include "core/script/namespace_vm.hpp"
#include "core/script/route_call.hpp"
#include "core/script/route_table.hpp"
#include "core/script/scratch.hpp"
#include "core/script/watchdog.hpp"

namespace moonwire::script {
namespace {

/// How long handlers in flight may go on in a namespace whose files were deleted.
constexpr std::chrono::seconds kRemovalGrace{5};

/// What a plugin hears of what its handler returned.
plugin::Answer answer_of(Served served) {
    if (served.ok) {
        std::vector<std::string> attachments;
        for (const SharedBytes& each : served.values.attachments)
            attachments.emplace_back(each.view());
        return plugin::Answer::values(std::move(served.values.json), std::move(attachments));
    }
    if (served.is_bug) return plugin::Answer::error(std::move(served.error));
    return plugin::Answer::failure(std::move(served.code), std::move(served.error),
                                   std::move(served.data_json));
}

/// One reload on its way over the namespaces' reactors. The last of them reports.
struct ReloadRound {
    ReloadRound(std::shared_ptr<Catalogue> catalogue, Function<void(std::vector<LoadError>)> done)
        : catalogue(std::move(catalogue)), done(std::move(done)) {}

    const std::shared_ptr<Catalogue> catalogue;
    Function<void(std::vector<LoadError>)> done;
    std::atomic<std::size_t> pending{1};

    void finish() {
        if (--pending == 0 && done) done(catalogue->errors());
    }
};

/// The namespaces whose scripts have a hook of one kind; `any` may be read without the mutex.
struct HookedNamespaces {
    std::set<std::string, std::less<>> names;
    std::atomic<bool> any{false};

    void note(const std::string& nsp, bool hooked) {
        if (hooked) names.insert(nsp);
        else names.erase(nsp);
        any = !names.empty();
    }
};

/// One request on its way through the namespaces that have a say.
struct HookRound {
    std::shared_ptr<const RouteRequest> request;
    std::vector<std::shared_ptr<NamespaceVm>> namespaces;
    std::size_t next = 0;
    RequestDecision so_far;
    Function<void(RequestDecision)> decide;

    static void ask_next(std::shared_ptr<HookRound> round) {
        if (round->next == round->namespaces.size())
            return round->decide(std::move(round->so_far));
        NamespaceVm& vm = *round->namespaces[round->next++];
        auto request = round->request;
        vm.answer_request(std::move(request),
                          {[round = std::move(round)](RequestDecision decision) mutable {
                               if (!decision.allowed) return round->decide(std::move(decision));
                               for (auto& header : decision.headers)
                                   round->so_far.headers.push_back(std::move(header));
                               ask_next(std::move(round));
                           },
                           RequestDecision{false, {}, {}}});
    }
};

}  // namespace

struct Host::Impl final : Directory {
    Impl(HostOptions options, socketio::Server& server, std::vector<Reactor*> reactors)
        : options(std::move(options)),
          server(server),
          reactors(std::move(reactors)),
          watchdog(this->options.limits.watchdog ? this->options.limits.watchdog
                                                 : std::make_shared<Watchdog>()),
          apps(this->options.apps),
          registry(this->options.figures) {}

    VmLimits limits_of(const std::string& name) {
        const auto own = options.namespaces.find(name);
        VmLimits limits = own == options.namespaces.end() ? options.limits : own->second.limits;
        limits.watchdog = watchdog;
        return limits;
    }
    Reactor& home_of(const std::string& name) {
        const auto own = options.namespaces.find(name);
        if (own != options.namespaces.end() && own->second.reactor) return *own->second.reactor;
        return *reactors[next_home++ % reactors.size()];
    }

    HttpClient* http() const noexcept override { return options.http; }
    const StoreOptions& store() const noexcept override { return options.store; }
    MetricRegistry& metrics() noexcept override { return registry; }
    std::shared_ptr<NamespaceVm> find(std::string_view nsp) const override {
        std::lock_guard lock(mutex);
        const auto found = vms.find(nsp);
        return found == vms.end() ? nullptr : found->second;
    }
    void publish(NamespaceVm& vm, std::vector<Route> routes, Hooks hooks) override {
        std::lock_guard lock(mutex);
        const auto found = vms.find(vm.name());
        // It may have been removed, or even replaced, while its reload was on its way.
        if (found == vms.end() || found->second.get() != &vm) return;
        route_table.replace(vm.name(), std::move(routes));
        note_hooks(vm.name(), hooks);
    }
    /// With the mutex held.
    void note_hooks(const std::string& nsp, Hooks hooks) {
        request_hooks.note(nsp, hooks.requests);
        suspicion_hooks.note(nsp, hooks.suspicions);
    }

    /// Adds a namespace that no script served so far, or notes why not. `routes_tried`: they were
    /// compared with those that the others will have after this reload.
    void add(const NamespaceSources& sources, bool routes_tried) {
        Reactor& home = home_of(sources.name);
        const auto vm = std::make_shared<NamespaceVm>(sources.name, home, server, *this,
                                                      limits_of(sources.name));
        if (auto error = vm->load(sources)) return catalogue->fail(sources, *std::move(error));
        std::vector<Route> routes = vm->routes();
        {
            std::lock_guard lock(mutex);
            if (!routes_tried)
                if (auto error = route_table.conflict(sources.name, routes))
                    return catalogue->fail(sources, *std::move(error));
            route_table.replace(sources.name, std::move(routes));
            note_hooks(sources.name, vm->hooks());
            vms[sources.name] = vm;
        }
        // Timers start before the first client, for the reactor runs its posts in order.
        home.post([vm] { vm->go_live(); });
        auto added = server.add(sources.name, home, vm);
        if (added) {
            log::info("scripts serve", {{"namespace", sources.name}});
            return catalogue->serve(sources);
        }
        // Somebody else serves the name, who must not be removed with this one.
        forget(sources.name);
        home.post([vm] { vm->shut(); });
        catalogue->fail(sources, LoadError{sources.files.front().path, 0, added.error().message});
    }

    std::shared_ptr<NamespaceVm> forget(const std::string& name) {
        std::lock_guard lock(mutex);
        route_table.replace(name, {});
        note_hooks(name, {});
        auto node = vms.extract(name);
        return node.empty() ? nullptr : std::move(node.mapped());
    }

    void remove(const std::string& name) {
        auto vm = forget(name);
        catalogue->forget(name);
        log::info("scripts removed, the namespace drains", {{"namespace", name}});
        server.remove(name);
        std::erase_if(leaving, [](const auto& each) { return each.expired(); });
        leaving.push_back(vm);
        Reactor& home = vm->home();
        home.post([vm = std::move(vm)]() mutable {
            vm->wind_down();
            Reactor& home = vm->home();
            home.after(kRemovalGrace, [vm = std::move(vm)] { vm->shut(); });
        });
    }

    /// The routes that there will be once these changes are made, but for those of the changed.
    RouteTable routes_without(const Catalogue::Changes& changes) const {
        std::lock_guard lock(mutex);
        RouteTable routes = route_table;
        for (const std::string& name : changes.deleted) routes.replace(name, {});
        for (const NamespaceSources& each : changes.changed) routes.replace(each.name, {});
        return routes;
    }

    const HostOptions options;
    socketio::Server& server;
    const std::vector<Reactor*> reactors;
    const std::shared_ptr<Watchdog> watchdog;
    std::mutex reloading;  // one at a time
    std::vector<App> apps;  // under it
    std::vector<std::weak_ptr<NamespaceVm>> leaving;  // under it: removed, and still in their grace
    const std::shared_ptr<Catalogue> catalogue = std::make_shared<Catalogue>();
    MetricRegistry registry;
    mutable std::mutex mutex;
    std::map<std::string, std::shared_ptr<NamespaceVm>, std::less<>> vms;
    RouteTable route_table;
    HookedNamespaces request_hooks, suspicion_hooks;
    TokenBucket suspicions;        // under the mutex, as the next
    std::uint64_t skipped = 0;     // suspicions that scripts were not told of, since the last one
    std::size_t next_home = 0;
    std::atomic<bool> stopped{false};
};

Host::Host(HostOptions options, socketio::Server& server, std::vector<Reactor*> reactors)
    : impl_(std::make_unique<Impl>(std::move(options), server, std::move(reactors))) {}

Host::~Host() = default;

std::vector<LoadError> Host::load() {
    std::lock_guard one_at_a_time(impl_->reloading);
    const auto& given = impl_->options.sources;
    for (const NamespaceSources& sources :
         impl_->catalogue->compare(given ? *given : find_scripts(impl_->apps)).changed)
        impl_->add(sources, false);
    return impl_->catalogue->errors();
}

void Host::reload(Function<void(std::vector<LoadError>)> done) {
    std::lock_guard one_at_a_time(impl_->reloading);
    if (impl_->stopped) return;
    const auto round = std::make_shared<ReloadRound>(impl_->catalogue, std::move(done));
    Catalogue::Changes changes = round->catalogue->compare(find_scripts(impl_->apps));
    for (const std::string& name : changes.deleted) impl_->remove(name);
    RouteTable routes = impl_->routes_without(changes);
    for (NamespaceSources& sources : changes.changed) {
        Tried tried = try_namespace(sources, impl_->limits_of(sources.name));
        if (!tried.error) tried.error = routes.conflict(sources.name, tried.routes);
        if (tried.error) {
            round->catalogue->fail(sources, *std::move(tried.error));
            continue;
        }
        routes.replace(sources.name, std::move(tried.routes));
        const auto vm = impl_->find(sources.name);
        if (!vm) {
            impl_->add(sources, true);
            continue;
        }
        round->catalogue->serve(sources);
        ++round->pending;
        vm->home().post([vm, round, sources = std::move(sources)] {
            if (auto error = vm->reload(sources)) round->catalogue->fail(sources, *std::move(error));
            round->finish();
        });
    }
    impl_->reactors.front()->post([round] { round->finish(); });
}

void Host::set_apps(std::vector<App> apps) {
    std::lock_guard lock(impl_->reloading);
    impl_->apps = std::move(apps);
}

std::vector<LoadError> Host::errors() const { return impl_->catalogue->errors(); }

bool Host::route(RouteRequest request, Function<void(RouteResponse)> respond) {
    RouteTable::Match match;
    std::shared_ptr<NamespaceVm> vm;
    {
        std::lock_guard lock(impl_->mutex);
        match = impl_->route_table.find(request.method, request.path);
        if (!match.path_known) return false;
        const auto found = impl_->vms.find(match.nsp);
        if (found != impl_->vms.end()) vm = found->second;
    }
    if (match.method.empty()) {
        RouteResponse refused = error_response(405, "method_not_allowed", "method not allowed");
        refused.headers.emplace_back("allow", match.allow);
        respond(std::move(refused));
        return true;
    }
    const bool head = request.method == "HEAD";
    Once<RouteResponse> once(
        [respond = std::move(respond), head](RouteResponse response) mutable {
            if (head) response.body.clear();
            respond(std::move(response));
        },
        error_response(503, "busy", "the namespace is gone"));
    if (vm) {
        vm->answer_route({std::move(request), std::move(match.shape), std::move(match.method),
                          std::move(match.params)},
                         std::move(once));
    }
    return true;
}

bool Host::has_request_hooks() const noexcept {
    return impl_->request_hooks.any;
}

void Host::ask_request_hooks(RouteRequest request, Function<void(RequestDecision)> decide) {
    auto round = std::make_shared<HookRound>();
    round->request = std::make_shared<const RouteRequest>(std::move(request));
    round->decide = std::move(decide);
    {
        std::lock_guard lock(impl_->mutex);
        for (const std::string& name : impl_->request_hooks.names)
            round->namespaces.push_back(impl_->vms.find(name)->second);
    }
    HookRound::ask_next(std::move(round));
}

void Host::tell_suspicion(const Incident& incident) {
    static const Rate kTold(20, 1);
    if (!impl_->suspicion_hooks.any) return;
    std::lock_guard lock(impl_->mutex);
    if (!impl_->suspicions.take(kTold, Clock::now())) {
        impl_->skipped += incident.count;
        return;
    }
    const auto suspicion =
        std::make_shared<const Suspicion>(incident, std::exchange(impl_->skipped, 0));
    for (const std::string& name : impl_->suspicion_hooks.names)
        impl_->vms.find(name)->second->on_suspicion(suspicion);
}

bool Host::deliver(std::string_view nsp, std::string event, socketio::OwnedPayload payload) {
    const auto vm = impl_->find(nsp);
    if (!vm) return false;
    vm->home().post([vm, event = std::move(event), payload = std::move(payload)] {
        vm->on_server_event(event, payload.view());
    });
    return true;
}

void Host::ask(std::string_view nsp, const std::string& plugin, std::string name,
               socketio::OwnedPayload payload, plugin::Reply reply) {
    const auto vm = impl_->find(nsp);
    if (!vm) {
        return reply(plugin::Answer::failure("unavailable",
                                             "no script serves " + std::string(nsp)));
    }
    Served gone;
    gone.error = "the namespace is gone";
    gone.code = "unavailable";
    ServiceCall call{std::move(name), std::move(payload), nullptr};
    call.plugin = plugin;
    vm->serve(std::move(call), {[reply = std::move(reply)](Served served) {
                                    reply(answer_of(std::move(served)));
                                },
                                std::move(gone)});
}

std::vector<ScriptStats> Host::stats() const {
    std::lock_guard lock(impl_->mutex);
    std::vector<ScriptStats> all;
    for (const auto& [name, vm] : impl_->vms) {
        all.push_back(vm->stats());
        all.back().load_error = impl_->catalogue->error_of(name);
    }
    return all;
}

std::vector<std::pair<std::string, std::vector<EventReport>>> Host::events() const {
    std::lock_guard lock(impl_->mutex);
    std::vector<std::pair<std::string, std::vector<EventReport>>> all;
    for (const auto& [name, vm] : impl_->vms) all.emplace_back(name, vm->events());
    return all;
}

plugin::Metrics Host::metrics() const { return impl_->registry.collect(); }

std::uint64_t Host::load_failures() const { return impl_->catalogue->failures(); }

std::shared_ptr<NamespaceVm> Host::find(std::string_view nsp) const { return impl_->find(nsp); }

void Host::stop() {
    if (impl_->stopped.exchange(true)) return;
    std::lock_guard no_reload(impl_->reloading);
    std::lock_guard lock(impl_->mutex);
    const auto shut = [](const std::shared_ptr<NamespaceVm>& vm) {
        vm->home().post([vm] { vm->shut(); });
    };
    for (const auto& [name, vm] : impl_->vms) shut(vm);
    for (const auto& each : impl_->leaving)
        if (const auto vm = each.lock()) shut(vm);
}

}  // namespace moonwire::script
