#include "core/script/host.hpp"

#include <algorithm>
#include <atomic>
#include <map>
#include <mutex>
#include <set>
#include <utility>

#include "core/script/app_files.hpp"
#include "core/script/namespace_vm.hpp"
#include "core/script/route_call.hpp"
#include "core/script/route_table.hpp"
#include "core/script/scratch.hpp"

namespace moonwire::script {
namespace {

/// How long handlers in flight may go on in a namespace whose files were deleted.
constexpr std::chrono::seconds kRemovalGrace{5};

VmLimits limits_of(const HostOptions& options) {
    return {options.namespace_memory_bytes, options.coroutines_per_namespace,
            options.timers_per_namespace, options.check_emits};
}

/// The outcome of one reload, over all namespaces' reactors.
struct ReloadReport {
    std::mutex mutex;
    std::vector<LoadError> errors;
    std::size_t pending = 0;
    Function<void(std::vector<LoadError>)> done;

    void finish(std::optional<LoadError> error) {
        {
            std::lock_guard lock(mutex);
            if (error) errors.push_back(*std::move(error));
            if (--pending > 0) return;
        }
        if (done) done(std::move(errors));
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
        : options(std::move(options)), server(server), reactors(std::move(reactors)) {}

    HttpClient* http() const noexcept override { return options.http; }
    std::shared_ptr<NamespaceVm> find(std::string_view nsp) const override {
        std::lock_guard lock(mutex);
        const auto found = vms.find(nsp);
        return found == vms.end() ? nullptr : found->second;
    }
    void publish(NamespaceVm& vm, std::vector<Route> routes, bool hooks_requests) override {
        std::lock_guard lock(mutex);
        const auto found = vms.find(vm.name());
        // It may have been removed, or even replaced, while its reload was on its way.
        if (found == vms.end() || found->second.get() != &vm) return;
        route_table.replace(vm.name(), std::move(routes));
        note_hooks(vm.name(), hooks_requests);
    }
    /// With the mutex held.
    void note_hooks(const std::string& nsp, bool hooks_requests) {
        if (hooks_requests) hooked.insert(nsp);
        else hooked.erase(nsp);
        any_hooked.store(!hooked.empty(), std::memory_order_release);
    }

    /// Adds a namespace that no script served so far. `routes_tried`: they were compared with those
    /// that the others will have after this reload.
    std::optional<LoadError> add(const NamespaceSources& sources, bool routes_tried) {
        const std::string& file = sources.files.front().path;
        Reactor& home = *reactors[next_home++ % reactors.size()];
        const auto vm =
            std::make_shared<NamespaceVm>(sources.name, home, server, *this, limits_of(options));
        if (auto error = vm->load(sources)) return error;
        std::vector<Route> routes = vm->routes();
        {
            std::lock_guard lock(mutex);
            if (!routes_tried)
                if (auto error = route_table.conflict(sources.name, routes)) return error;
            route_table.replace(sources.name, std::move(routes));
            note_hooks(sources.name, vm->hooks_requests());
            vms[sources.name] = vm;
        }
        // Timers start before the first client, for the reactor runs its posts in order.
        home.post([vm] { vm->go_live(); });
        auto added = server.add(sources.name, home, vm);
        if (added) return std::nullopt;
        // Somebody else serves the name, who must not be removed with this one.
        forget(sources.name);
        home.post([vm] { vm->shut(); });
        return LoadError{file, 0, added.error().message};
    }

    std::shared_ptr<NamespaceVm> forget(const std::string& name) {
        std::lock_guard lock(mutex);
        route_table.replace(name, {});
        note_hooks(name, false);
        auto node = vms.extract(name);
        return node.empty() ? nullptr : std::move(node.mapped());
    }

    void remove(const std::string& name) {
        auto vm = forget(name);
        server.remove(name);
        Reactor& home = vm->home();
        home.post([vm = std::move(vm)]() mutable {
            vm->wind_down();
            Reactor& home = vm->home();
            home.after(kRemovalGrace, [vm = std::move(vm)] { vm->shut(); });
        });
    }

    /// Tries every candidate in a scratch state; what fails is taken out of `found`.
    std::vector<LoadError> try_out(FoundScripts& found) const {
        std::vector<LoadError> errors;
        RouteTable routes;
        {
            // Those that will not be replaced keep the routes that they have.
            std::lock_guard lock(mutex);
            routes = route_table;
        }
        for (const auto& [name, sources] : found.namespaces) routes.replace(name, {});
        std::erase_if(found.namespaces, [&](const auto& each) {
            Tried tried = try_namespace(each.second, options.namespace_memory_bytes);
            if (!tried.error) tried.error = routes.conflict(each.first, tried.routes);
            if (tried.error) {
                errors.push_back(*std::move(tried.error));
                return true;
            }
            routes.replace(each.first, std::move(tried.routes));
            return false;
        });
        return errors;
    }

    const HostOptions options;
    socketio::Server& server;
    const std::vector<Reactor*> reactors;
    std::mutex reloading;  // one at a time
    mutable std::mutex mutex;
    std::map<std::string, std::shared_ptr<NamespaceVm>, std::less<>> vms;
    RouteTable route_table;
    std::set<std::string, std::less<>> hooked;  // namespaces with an on_request
    std::atomic<bool> any_hooked{false};
    std::size_t next_home = 0;
    std::atomic<bool> stopped{false};
};

Host::Host(HostOptions options, socketio::Server& server, std::vector<Reactor*> reactors)
    : impl_(std::make_unique<Impl>(std::move(options), server, std::move(reactors))) {}

Host::~Host() = default;

std::vector<LoadError> Host::load() {
    FoundScripts found = find_scripts(impl_->options.apps);
    for (const auto& [name, sources] : found.namespaces)
        if (auto error = impl_->add(sources, false)) found.errors.push_back(*std::move(error));
    return std::move(found.errors);
}

void Host::reload(Function<void(std::vector<LoadError>)> done) {
    std::lock_guard one_at_a_time(impl_->reloading);
    if (impl_->stopped) return;
    FoundScripts found = find_scripts(impl_->options.apps);
    std::vector<std::string> deleted;
    {
        std::lock_guard lock(impl_->mutex);
        for (const auto& [name, vm] : impl_->vms)
            if (!found.namespaces.contains(name)) deleted.push_back(name);
    }
    for (LoadError& error : impl_->try_out(found)) found.errors.push_back(std::move(error));

    auto report = std::make_shared<ReloadReport>();
    report->done = std::move(done);
    report->errors = std::move(found.errors);
    report->pending = 1 + found.namespaces.size();
    for (const std::string& name : deleted) impl_->remove(name);
    for (auto& [name, sources] : found.namespaces) {
        const auto vm = impl_->find(name);
        if (!vm) {
            report->finish(impl_->add(sources, true));
            continue;
        }
        vm->home().post(
            [vm, report, sources = std::move(sources)] { report->finish(vm->reload(sources)); });
    }
    impl_->reactors.front()->post([report] { report->finish(std::nullopt); });
}

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
    return impl_->any_hooked.load(std::memory_order_acquire);
}

void Host::ask_request_hooks(RouteRequest request, Function<void(RequestDecision)> decide) {
    auto round = std::make_shared<HookRound>();
    round->request = std::make_shared<const RouteRequest>(std::move(request));
    round->decide = std::move(decide);
    {
        std::lock_guard lock(impl_->mutex);
        for (const std::string& name : impl_->hooked)
            round->namespaces.push_back(impl_->vms.find(name)->second);
    }
    HookRound::ask_next(std::move(round));
}

std::vector<ScriptStats> Host::stats() const {
    std::lock_guard lock(impl_->mutex);
    std::vector<ScriptStats> all;
    for (const auto& [name, vm] : impl_->vms) all.push_back(vm->stats());
    return all;
}

void Host::stop() {
    if (impl_->stopped.exchange(true)) return;
    std::lock_guard lock(impl_->mutex);
    for (const auto& [name, vm] : impl_->vms) vm->home().post([vm = vm] { vm->shut(); });
}

}  // namespace moonwire::script
