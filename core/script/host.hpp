#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "core/base/function.hpp"
#include "core/base/incident.hpp"
#include "core/base/reactor.hpp"
#include "core/base/result.hpp"
#include "core/plugin/api/http.hpp"
#include "core/plugin/api/metrics.hpp"
#include "core/plugin/api/values.hpp"
#include "core/script/event_table.hpp"
#include "core/script/figure_limits.hpp"
#include "core/script/http_client.hpp"
#include "core/script/store_options.hpp"
#include "core/script/vm_limits.hpp"
#include "core/socketio/server.hpp"

namespace moonwire::script {

/// A folder of scripts and the settings that its `setting(name)` reads.
struct App {
    std::string name;  // the folder's name
    std::filesystem::path folder;
    /// The value at a dotted path ("transit.search_radius") as JSON text; nothing if unset. Any
    /// thread.
    std::shared_ptr<const std::function<std::optional<std::string>(std::string_view)>> setting;
    /// The folder of the modules that apps share, `require "shared.X"`; empty or not there: none.
    std::filesystem::path shared = {};
    bool demo = false;  // whether its demo.lua is loaded, too
};

struct FoundScripts;
class NamespaceVm;

/// What the operator has set for one namespace, or for all without settings of their own.
struct NamespaceOptions {
    VmLimits limits;  // the watchdog is the host's to fill in
    Reactor* reactor = nullptr;  // its own; null: one of those that all share
};

struct HostOptions {
    std::vector<App> apps;
    /// What `load` takes instead of reading the apps' files; null: it reads them.
    std::shared_ptr<const FoundScripts> sources;
    HttpClient* http = nullptr;  // outlives the host; null: http.request says that there is none
    StoreOptions store;
    FigureLimits figures;
    VmLimits limits;  // of namespaces without settings of their own; the watchdog for all, or null
    std::map<std::string, NamespaceOptions, std::less<>> namespaces;  // by name or family
};

/// What is wrong with a script, for the log and for `moonwire check`.
struct LoadError {
    std::string file;  // relative to the scripts folder, or as found
    int line = 0;      // 0: the whole file
    std::string message;

    /// "orders/main.lua:7: what"
    std::string text() const {
        return file + (line > 0 ? ":" + std::to_string(line) : "") + ": " + message;
    }
    bool operator==(const LoadError&) const = default;
};

/// An HTTP request for a script's `route`, and what it answers.
using RouteRequest = plugin::HttpRequest;
using RouteResponse = plugin::HttpResponse;

/// What the scripts' `on_request` say to a client's first request.
struct RequestDecision {
    bool allowed = true;
    std::string message;  // of a refusal; empty: no word beyond it
    std::vector<std::pair<std::string, std::string>> headers;  // for its answer
};

/// One namespace's scripts at work, for /stats. A snapshot.
struct ScriptStats {
    std::string name;
    std::uint64_t generation = 0;
    std::uint64_t handlers_run = 0, handlers_failed = 0, coroutines = 0;
    std::uint64_t relayed = 0, relays_limited = 0;  // by ns:relay; over their rate
    std::uint64_t tokens_refused = 0, tokens_expired = 0;  // or missing; while connected
    double handler_seconds = 0, handler_seconds_max = 0;
    std::size_t memory_bytes = 0;
    std::uint64_t handlers_stopped = 0;   // for they ran over their budget
    std::optional<LoadError> load_error;  // of the newest code, if it could not take over
};

/// Every script of the broker: finds the apps' files, gives each namespace its Lua state on its
/// home reactor, and serves their routes.
///
/// `load` comes once, before the reactors run or on any thread but theirs; the others may be called
/// from any thread.
class Host {
public:
    Host(HostOptions options, socketio::Server& server, std::vector<Reactor*> reactors);
    ~Host();

    /// Finds and loads everything and registers the namespaces (homes dealt out over the reactors).
    /// A namespace with an error is left out; the others serve.
    std::vector<LoadError> load();
    /// Gives the namespaces whose files or modules have changed their next generation, between two
    /// events; new ones are added, those without a file left are removed. Code is tried in scratch
    /// states first; what fails keeps its running generation. Reading and trying happen on the
    /// calling thread; `done` gets everything that is wrong now, on some reactor, unless the host
    /// was stopped.
    void reload(Function<void(std::vector<LoadError>)> done);
    /// What the next reload looks at. Any thread but the reactors'.
    void set_apps(std::vector<App> apps);
    /// Everything that is wrong with the scripts now.
    std::vector<LoadError> errors() const;

    /// False when no script serves this method and path (`method_exists_elsewhere`: 405 instead of
    /// 404 is answered by the host itself, then true). `respond` is called once, on some reactor.
    bool route(RouteRequest request, Function<void(RouteResponse)> respond);

    /// Whether any script has an `on_request`. Any thread; costs a load.
    bool has_request_hooks() const noexcept;
    /// Asks them all, in order of the namespaces' names, until one refuses. `decide` is called
    /// once, on some reactor.
    void ask_request_hooks(RouteRequest request, Function<void(RequestDecision)> decide);
    /// Tells their `on_suspicious`, of at most some 20 incidents a second; each says how many were
    /// skipped before it.
    void tell_suspicion(const Incident& incident);

    /// Calls the `on_server` of a namespace or a family; `payload` is `["event",…]`. False if no
    /// script serves it.
    bool deliver(std::string_view nsp, std::string event, socketio::OwnedPayload payload);

    /// Calls what a plugin's Lua in a namespace or a family handles by that name (Bridge::ask);
    /// `payload` is an array. `reply` is called once, on some reactor.
    void ask(std::string_view nsp, const std::string& plugin, std::string name,
             socketio::OwnedPayload payload, plugin::Reply reply);

    std::vector<ScriptStats> stats() const;
    /// What became of the events of each namespace or family.
    std::vector<std::pair<std::string, std::vector<EventReport>>> events() const;
    /// What the scripts count themselves, by `metrics`.
    plugin::Metrics metrics() const;
    /// Versions of scripts that could not take over, so far.
    std::uint64_t load_failures() const;

    /// The scripts of a namespace or of a family's pattern; null if there are none. Any thread.
    std::shared_ptr<NamespaceVm> find(std::string_view nsp) const;

    /// Ends timers and coroutines; waits for nothing. Before the reactors stop.
    void stop();

private:
    struct Impl;
    std::unique_ptr<Impl> impl_;
};

}  // namespace moonwire::script
