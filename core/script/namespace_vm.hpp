#pragma once

#include <cstddef>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/script/app_files.hpp"
#include "core/script/event_table.hpp"
#include "core/script/failure.hpp"
#include "core/script/generation.hpp"
#include "core/script/http_client.hpp"
#include "core/script/metric_registry.hpp"
#include "core/script/once.hpp"
#include "core/script/runtime.hpp"
#include "core/script/store_options.hpp"
#include "core/script/suspicion.hpp"
#include "core/script/vm_limits.hpp"
#include "core/socketio/group.hpp"
#include "core/socketio/server.hpp"

namespace moonwire::script {

class NamespaceVm;

/// What the namespaces' scripts know of each other and of the outside. Any thread.
class Directory {
public:
    virtual ~Directory() = default;
    /// The way out over HTTP; null if there is none.
    virtual HttpClient* http() const noexcept = 0;
    /// Where the namespaces keep things.
    virtual const StoreOptions& store() const noexcept = 0;
    /// What their scripts count.
    virtual MetricRegistry& metrics() noexcept = 0;
    /// By a namespace's name or a family's pattern; null if no script serves it.
    virtual std::shared_ptr<NamespaceVm> find(std::string_view nsp) const = 0;
    /// The routes that a namespace serves from now on, and what else it wants to hear.
    virtual void publish(NamespaceVm& vm, std::vector<Route> routes, Hooks hooks) = 0;
};

/// What `ask` gets: values, or why not.
struct Served {
    bool ok = false;
    socketio::OwnedPayload values;  // an array
    std::string error, code;
    std::string data_json;  // of a fail(); empty: none
    bool is_bug = false;    // not a fail() and not for want of something
};

/// A function that `ask` calls.
struct ServiceCall {
    std::string function;
    socketio::OwnedPayload arguments;  // an array
    OriginPtr origin;
    std::string plugin = {};  // whose Lua handles it; empty: what `ns:serve` offers
};

/// A request for a route, with the parameters of its path.
struct RouteCall {
    RouteRequest request;
    std::string shape;  // of the pattern that matched
    std::string method;
    std::vector<std::pair<std::string, std::string>> params;
};

/// One namespace's scripts at work: its Lua state and the generation in charge, which give the
/// namespace's events their meaning. A family has one for all its members.
///
/// Lives on its home reactor but for what says otherwise; shared by the host and the namespace(s).
/// A script that fails is logged and answered `internal`; nothing here throws. After `shut` it
/// refuses clients and answers nothing.
class NamespaceVm final : public socketio::NamespaceHandler,
                          public std::enable_shared_from_this<NamespaceVm> {
public:
    NamespaceVm(std::string name, Reactor& home, socketio::Server& server, Directory& directory,
                VmLimits limits);
    ~NamespaceVm() override;

    // Any thread.
    const std::string& name() const noexcept { return name_; }
    bool is_family() const noexcept { return name_.find("/:") != std::string::npos; }
    Reactor& home() const noexcept { return home_; }
    socketio::Server& server() const noexcept { return server_; }
    Directory& directory() const noexcept { return directory_; }
    const VmLimits& limits() const noexcept { return limits_; }
    ScriptStats stats() const;
    std::vector<EventReport> events() const { return events_.report(); }
    /// Answers with what the function that the namespace offers under this name returned.
    void serve(ServiceCall call, Once<Served> reply);
    void answer_route(RouteCall call, Once<RouteResponse> respond);
    /// What its `on_request` functions say.
    void answer_request(std::shared_ptr<const RouteRequest> request, Once<RequestDecision> decide);
    /// Tells its `on_suspicious` functions, each in a coroutine of its own.
    void on_suspicion(std::shared_ptr<const Suspicion> suspicion);

    /// Loads the first generation; on any thread, before the namespace serves.
    std::optional<LoadError> load(const NamespaceSources& sources);
    /// What the first generation serves; before `go_live`.
    std::vector<Route> routes() const { return generation_->routes; }
    Hooks hooks() const {
        return {generation_->request_hooks.count > 0, !generation_->suspicions.empty()};
    }
    /// The first generation takes charge.
    void go_live();
    /// Loads the next generation, migrates the state and hands over, or changes nothing. From the
    /// loop, between two events.
    std::optional<LoadError> reload(const NamespaceSources& sources);
    /// Timers and background tasks end; what is in flight goes on.
    void wind_down();
    /// Ends everything and closes the Lua state.
    void shut();

    /// Null once shut. Home reactor.
    Runtime* runtime() const noexcept { return runtime_.get(); }

    // socketio::NamespaceHandler
    void on_connecting(const socketio::SocketPtr& socket, std::string_view auth_json,
                       socketio::ConnectDecision decide) override;
    void on_connect(const socketio::SocketPtr& socket) override;
    bool on_event(const socketio::SocketPtr& socket, std::string_view event,
                  socketio::Payload payload, socketio::Acknowledgement acknowledgement) override;
    void on_disconnecting(const socketio::SocketPtr& socket, std::string_view reason) override;
    void on_disconnect(const socketio::SocketPtr& socket, std::string_view reason) override;
    void on_resume(const socketio::SocketPtr& before, const socketio::SocketPtr& socket,
                   std::string_view auth_json) override;
    void on_expired(const socketio::SocketPtr& socket) override;
    void on_server_event(std::string_view event, socketio::Payload payload) override;

    // For the API.
    /// The one in charge.
    Generation& generation() const noexcept { return *generation_; }
    /// The namespace itself, or the family.
    socketio::Group group() const;
    /// Asks the authenticator, which there must be; `done` is called on the home reactor, or never
    /// once the namespace is shut.
    void verify(std::string token, std::string address, Function<void(plugin::Verdict)> done);
    /// Makes the accepted token's claims `socket.data.user`; or why not, which is counted and
    /// logged. `again`: it must not become another's. From the loop or a handler.
    std::optional<Failure> take_user(const socketio::SocketPtr& socket,
                                     const Generation& generation, const plugin::Verdict& verdict,
                                     bool again = false);
    /// Puts the socket out when its token expires, if it does.
    void watch_expiry(const socketio::SocketPtr& socket);
    /// Broadcasts to all of them.
    void broadcast(const socketio::Target& target, socketio::Payload payload,
                   engineio::SendOptions options);

private:
    Scheduler& scheduler() const noexcept { return *runtime_->scheduler; }
    void open_store();
    /// Gives the generation's handlers the figures of their events.
    void count_events_of(Generation& generation);
    std::shared_ptr<socketio::Namespace> own() const;
    void authenticate(const socketio::SocketPtr& socket, std::string_view auth_json,
                      std::shared_ptr<Generation> generation, socketio::ConnectDecision decide);
    Failure refuse_token(const plugin::Verdict& verdict);
    void run_middleware(const socketio::SocketPtr& socket, std::shared_ptr<Generation> generation,
                        socketio::ConnectDecision decide);
    void admit(const socketio::SocketPtr& socket, socketio::ConnectDecision& decide,
               std::optional<socketio::Refusal> refusal);
    void run_lifecycle(const std::vector<int>& slots, const char* what,
                       const socketio::SocketPtr& socket, std::string_view reason);
    /// `handler` is the generation's, null where nobody but listeners heard of the event.
    void finish_event(Outcome& outcome, const NamedHandler* handler,
                      socketio::Acknowledgement& acknowledgement);
    EventFigures& figures_of(const NamedHandler* handler) noexcept {
        return handler ? *handler->second.figures : events_.other();
    }
    /// As on_event, for an event that is relayed.
    bool run_relay(const NamedHandler& named, const std::shared_ptr<Generation>& generation,
                   const socketio::SocketPtr& socket, socketio::Payload payload,
                   socketio::Acknowledgement& acknowledgement);
    /// False if there is no such namespace.
    bool broadcast_in(const std::string& name, const socketio::Target& target,
                      socketio::Payload payload, engineio::SendOptions options);
    const Registered* find_service(const Generation& generation, const ServiceCall& call) const;
    void run_service(const ServiceCall& call, Once<Served> reply);
    void run_route(RouteCall call, Once<RouteResponse> respond);
    /// The route is the generation's.
    void authenticate_route(RouteCall call, const Route& route,
                            std::shared_ptr<Generation> generation, Once<RouteResponse> respond);
    /// `claims`: of who asks, as JSON; empty: nobody.
    void start_route(RouteCall call, const Route& route, std::shared_ptr<Generation> generation,
                     std::string claims, Once<RouteResponse> respond);
    void run_request_hooks(const RouteRequest& request, Once<RequestDecision> decide);
    void run_suspicion_hooks(const Suspicion& suspicion);

    const std::string name_;
    Reactor& home_;
    socketio::Server& server_;
    Directory& directory_;
    const VmLimits limits_;
    SchedulerStats stats_;
    struct {
        Counter relayed, limited;
    } relay_stats_;
    struct {
        Counter failed, expired;
    } auth_stats_;
    Counter generation_number_;
    EventTable events_;
    mutable std::weak_ptr<socketio::Namespace> own_;
    std::unique_ptr<Runtime> runtime_;  // null once shut
    std::shared_ptr<Generation> generation_;
};

}  // namespace moonwire::script
