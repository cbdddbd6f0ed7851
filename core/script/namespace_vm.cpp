#include "core/script/namespace_vm.hpp"

#include "core/base/log.hpp"
#include "core/script/api.hpp"
#include "core/script/deliveries.hpp"
#include "core/script/loader.hpp"
#include "core/script/plugin_script.hpp"
#include "core/script/schedules.hpp"
#include "core/script/script_socket.hpp"
#include "core/script/state_copy.hpp"
#include "core/script/tasks.hpp"

namespace moonwire::script {
namespace {

/// Runs the next generation's migrations on a copy of the state, and puts the copy in its place if
/// all of them succeed. The error has the file of the migration's mistake if it says one.
Result<void> migrate(Runtime& runtime, const Generation& next, std::uint64_t from) {
    if (next.migrations.count == 0) return {};
    lua_State* state = runtime.state();
    std::optional<std::string> problem;
    LuaRef copy;
    auto copied = Vm::protect(state, 0, [&](lua_State* L) {
        runtime.state_table.push(L);
        problem = push_plain_copy(L, -1);
        if (!problem) copy = LuaRef::pop(L);
        return 0;
    });
    if (!copied) return copied.error();
    if (problem) return Error{"ns.state can't be migrated: " + *problem};
    for (int i = 1; i <= next.migrations.count; ++i) {
        next.push(state, next.migrations.slot);
        lua_rawgeti(state, -1, i);
        lua_remove(state, -2);
        copy.push(state);
        lua_pushnumber(state, static_cast<double>(from));
        runtime.begin_loading();
        auto ran = runtime.call(2, 0, runtime.limits.load);
        runtime.end_loading();
        if (!ran) return ran.error();
    }
    runtime.state_table = std::move(copy);
    return {};
}

}  // namespace

NamespaceVm::NamespaceVm(std::string name, Reactor& home, socketio::Server& server,
                         Directory& directory, VmLimits limits)
    : name_(std::move(name)),
      home_(home),
      server_(server),
      directory_(directory),
      limits_(limits),
      events_(directory.metrics().limits().events) {}

NamespaceVm::~NamespaceVm() { shut(); }

ScriptStats NamespaceVm::stats() const {
    ScriptStats stats;
    stats.name = name_;
    stats.generation = generation_number_.get();
    stats.handlers_run = stats_.started.get();
    stats.handlers_failed = stats_.failed.get();
    stats.handlers_stopped = stats_.stopped.get();
    stats.coroutines = stats_.live.get();
    stats.handler_seconds = static_cast<double>(stats_.run_nanoseconds.get()) * 1e-9;
    stats.handler_seconds_max = static_cast<double>(stats_.longest_nanoseconds.get()) * 1e-9;
    stats.relayed = relay_stats_.relayed.get();
    stats.relays_limited = relay_stats_.limited.get();
    stats.tokens_refused = auth_stats_.failed.get();
    stats.tokens_expired = auth_stats_.expired.get();
    stats.memory_bytes = stats_.memory_bytes.get();
    return stats;
}

std::optional<LoadError> NamespaceVm::load(const NamespaceSources& sources) {
    runtime_ = std::make_unique<Runtime>(limits_, this);
    runtime_->scheduler = std::make_shared<Scheduler>(*runtime_, home_, limits_.tasks,
                                                      limits_.handler, stats_);
    runtime_->metrics = &directory_.metrics();
    open_store();
    auto prepared = Vm::protect(runtime_->state(), 0, [&](lua_State* state) {
        register_api(state);
        lua_newtable(state);
        runtime_->state_table = LuaRef::pop(state);
        return 0;
    });
    if (!prepared) return LoadError{sources.files.front().path, 0, prepared.error().message};
    Loaded loaded = load_generation(*runtime_, 1, sources);
    if (loaded.error) return std::move(loaded.error);
    generation_ = std::move(loaded.generation);
    count_events_of(*generation_);
    generation_number_.add();
    stats_.memory_bytes.add(runtime_->memory_bytes());
    return std::nullopt;
}

void NamespaceVm::open_store() {
    if (!directory_.store().store) return;
    Runtime& runtime = *runtime_;
    runtime.store = std::make_shared<NamespaceStore>(name_, directory_.store(), home_);
    runtime.deliveries = std::make_shared<Deliveries>(*runtime.store);
    runtime.schedules = std::make_shared<Schedules>(*this, *runtime.store);
    const std::weak_ptr schedules(runtime.schedules);
    runtime.store->on_scheduled = [schedules](const std::string& key) {
        if (const auto alive = schedules.lock()) alive->note(key);
    };
}

void NamespaceVm::count_events_of(Generation& generation) {
    // By name, so that it does not depend on chance which of too many are among the others.
    std::map<std::string_view, EventHandler*> handlers;
    for (auto& [name, handler] : generation.events) handlers[name] = &handler;
    for (const auto& [name, handler] : handlers) handler->figures = &events_.of(name);
}

void NamespaceVm::go_live() {
    if (!runtime_) return;
    tell_wants(*generation_);
    generation_->go_live();
    if (runtime_->schedules) runtime_->schedules->look();
}

std::optional<LoadError> NamespaceVm::reload(const NamespaceSources& sources) {
    if (!runtime_) return std::nullopt;
    const std::string& first = sources.files.front().path;
    Loaded loaded = load_generation(*runtime_, generation_->number() + 1, sources);
    if (loaded.error) return std::move(loaded.error);
    if (auto migrated = migrate(*runtime_, *loaded.generation, generation_->number()); !migrated) {
        loaded.generation->retire();
        LoadError error = load_error(sources, first, migrated.error().message);
        error.message = "on_reload: " + error.message;
        return error;
    }
    generation_->retire();
    generation_ = std::move(loaded.generation);
    count_events_of(*generation_);
    generation_number_.add();
    directory_.publish(*this, generation_->routes, hooks());
    go_live();
    log::info("scripts took over", {{"namespace", name_}, {"generation", generation_->number()}});
    return std::nullopt;
}

void NamespaceVm::wind_down() {
    if (!runtime_) return;
    runtime_->schedules.reset();
    generation_->timers().cancel_all();
    scheduler().cancel_background(*generation_);
}

void NamespaceVm::shut() {
    if (!runtime_) return;
    if (generation_) {
        generation_->retire();
        tell_wants(*generation_);
    }
    runtime_->scheduler->cancel_all();
    generation_.reset();
    // Cancelled handlers' promises may call back into this: it has to find nothing.
    const auto runtime = std::move(runtime_);
}

std::shared_ptr<socketio::Namespace> NamespaceVm::own() const {
    auto nsp = own_.lock();
    if (!nsp) own_ = nsp = server_.find(name_);
    return nsp;
}

socketio::Group NamespaceVm::group() const {
    if (is_family()) {
        if (auto family = server_.group(name_)) return *std::move(family);
    } else if (auto nsp = own()) {
        return socketio::Group(std::move(nsp));
    }
    return socketio::Group(name_, home_, nullptr, {}, nullptr);  // it was removed
}

void NamespaceVm::broadcast(const socketio::Target& target, socketio::Payload payload,
                            engineio::SendOptions options) {
    if (is_family()) {
        group().broadcast(target, payload, options);
    } else if (const auto nsp = own()) {
        nsp->broadcast(target, payload, options);
    }
}

}  // namespace moonwire::script
