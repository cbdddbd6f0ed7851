#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "core/script/app_files.hpp"
#include "core/script/authentication.hpp"
#include "core/script/contract.hpp"
#include "core/script/lua_tools.hpp"
#include "core/script/raw_json.hpp"
#include "core/script/relay.hpp"
#include "core/script/routes.hpp"
#include "core/script/runtime.hpp"
#include "core/script/timers.hpp"

namespace moonwire::script {

struct EventFigures;
struct MetricLease;

/// A registered function: where the generation keeps it, and where it was registered ("file:line").
struct Registered {
    int slot = 0;
    std::string position;
};

/// An inbound event's handler with its schemas.
struct EventHandler : Registered {
    std::shared_ptr<const Relay> relay;  // instead of a function
    int schemas = 0;      // slot of a Lua array, one an argument; 0: none
    bool listed = false;  // they were given as a list
    int checker = 0;      // slot of the function that applies them
    RawArguments raw = 0; // those that are schema.raw()
    EventFigures* figures = nullptr;  // the namespace's, once the generation is in charge
    Signature signature;
};

/// An outbound event that is declared.
struct Declaration : Registered {
    Signature signature;
};

/// Functions that run one after another: kept as one Lua array.
struct Chained {
    int slot = 0;
    int count = 0;
};

struct NameHash {
    using is_transparent = void;
    std::size_t operator()(std::string_view text) const noexcept {
        return std::hash<std::string_view>{}(text);
    }
};
template <typename T>
using ByName = std::unordered_map<std::string, T, NameHash, std::equal_to<>>;

using NamedHandler = ByName<EventHandler>::value_type;

/// One version of a namespace's scripts inside its Lua state: what its files registered.
///
/// Home reactor. The functions live in a Lua table that only this object roots until it is retired;
/// from then on whatever coroutines still run keep what they need alive, and when the last ends the
/// whole generation is garbage. The API's closures share ownership of this object, never of the
/// table.
class Generation : public std::enable_shared_from_this<Generation> {
public:
    enum class Phase : std::uint8_t { loading, live, retired };

    Generation(Runtime& runtime, std::uint64_t number, const NamespaceSources& sources);

    Runtime& runtime() const noexcept { return runtime_; }
    std::uint64_t number() const noexcept { return number_; }
    const std::string& nsp() const noexcept { return nsp_; }
    const AppSources& app() const noexcept { return *app_; }
    UsedModules& used_modules() noexcept { return *used_modules_; }
    Phase phase() const noexcept { return phase_; }
    Timers& timers() noexcept { return timers_; }

    /// Makes the table of functions, and keeps the environment at index 1. Protected.
    void open(lua_State* state);
    /// The globals of its files. Raises nothing.
    void push_environment(lua_State* state) const { environment_.push(state); }
    /// Pops the value on top and returns where it is kept. Protected.
    int keep(lua_State* state);
    void forget(int slot);
    /// Needs two free stack slots; nil once retired. Raises nothing.
    void push(lua_State* state, int slot) const;
    /// Appends the value on top, which is popped. Protected.
    void append(lua_State* state, Chained& list);

    /// Takes over: starts the timers and what `spawn` was given while loading.
    void go_live();
    /// Gives way: cancels timers and background tasks, lets go of the functions.
    void retire();

    struct Spawn {
        int slot;
        OriginPtr origin;
    };
    /// Starts a background task of the function in the slot, which is forgotten.
    void spawn(Spawn spawned);

    // What the files registered.
    ByName<EventHandler> events;
    ByName<Registered> server_events;
    ByName<Registered> services;
    ByName<Registered> schedules;
    // Of plugins' own Lua: "NAME.handler", and what they want, as JSON, by plugin and key.
    ByName<Registered> handled;
    std::map<std::string, std::map<std::string, std::string>, std::less<>> wants;
    std::map<std::string, Declaration, std::less<>> declarations;  // emits
    Chained middleware, any, event_middleware, migrations, request_hooks;
    std::vector<int> connects, disconnectings, disconnects, expirations, suspicions;
    std::vector<Route> routes;
    std::optional<AuthDemand> auth;
    std::size_t relay_rates = 0;  // relays with a rate
    std::map<std::string, std::shared_ptr<MetricLease>> metrics;  // by their family()
    std::vector<Spawn> spawns;

    std::set<std::string, std::less<>> told;  // what was logged, and need not be again

    // While loading.
    const ScriptFile* file = nullptr;  // whose top level runs; null in a module's
    bool file_named_namespace = false;
    std::vector<std::string> requiring;  // modules whose top level runs, outermost first

private:
    Runtime& runtime_;
    const std::uint64_t number_;
    const std::string nsp_;
    const std::shared_ptr<const AppSources> app_;
    const std::shared_ptr<UsedModules> used_modules_;
    Phase phase_ = Phase::loading;
    LuaRef functions_, environment_;
    Timers timers_;
};

}  // namespace moonwire::script
