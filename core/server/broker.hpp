#pragma once

#include <atomic>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/engineio/engine.hpp"
#include "core/plugin/api/store.hpp"
#include "core/script/host.hpp"
#include "core/server/apps.hpp"
#include "core/server/audit_log.hpp"
#include "core/server/client_sockets.hpp"
#include "core/server/http_client.hpp"
#include "core/server/router.hpp"
#include "core/server/script_guard.hpp"
#include "core/server/script_watch.hpp"
#include "core/server/suspicion_teller.hpp"
#include "core/socketio/server.hpp"
#include "core/transport/server.hpp"

namespace moonwire::server {

enum class ReloadCause { asked, files_changed };

/// The whole broker, wired: every layer above the one that it stands on.
///
/// Made, started and stopped on one thread (main's), which is none of the reactors.
class Broker {
public:
    explicit Broker(Configuration configuration);
    ~Broker();

    /// Starts the plugins, loads the scripts and begins to serve; where. Scripts with errors are
    /// logged and left out, or end it in strict mode.
    Result<std::vector<transport::ListeningAddress>> start();
    /// Gives what has changed its next generation and, when asked, reads the certificates anew.
    /// Errors are logged, after a change of files only those that are new; `done` gets all, on some
    /// reactor or before this returns, unless the broker was stopped. Any thread but a reactor's.
    void reload(ReloadCause cause, Function<void(std::vector<script::LoadError>)> done = {});
    /// What is due now and then: hands memory that a past crowd needed back to the system, and
    /// tells of incidents that came again. Call every second or so.
    void tick();
    /// Stops accepting, tells the clients, and waits until they are gone or the time is over.
    void drain();
    /// Ends everything at once.
    void stop();

    const Settings& settings() const noexcept { return settings_; }
    unsigned reactor_count() const { return transport_.reactor_count(); }

    // For Control. Any thread, once started.
    const std::vector<transport::ListeningAddress>& addresses() const { return addresses_; }
    Duration uptime() const { return Clock::now() - started_; }
    bool draining() const noexcept { return draining_; }
    const engineio::Engine& engine() const noexcept { return engine_; }
    const socketio::Server& sockets() const noexcept { return sockets_; }
    const script::Host& scripts() const noexcept { return scripts_; }
    const AuditLog& audit() const noexcept { return audit_; }
    /// What is known to be wrong since the last load or reload.
    std::vector<script::LoadError> load_errors() const;

private:
    std::optional<transport::HttpResponse> page(std::string_view path) const;
    std::string stats() const;
    plugin::Surroundings surroundings();
    static std::vector<Reactor*> reactors_of(transport::TransportServer& transport, unsigned count);
    Result<void> look_for_apps();
    void log_errors(const std::vector<script::LoadError>& errors, bool only_new);
    void give_back_memory();

    const Settings settings_;
    const std::shared_ptr<plugin::Plugins> plugins_;  // outlives what uses them
    const std::filesystem::path dir_, shared_;
    const std::function<Result<std::vector<script::App>>()> find_apps_;
    transport::TransportServer transport_;
    const std::vector<Reactor*> reactors_;
    socketio::Server sockets_;
    ScriptGuard guard_;
    engineio::Engine engine_;
    HttpClient http_;
    ClientSockets clients_;
    const std::unique_ptr<plugin::Store> store_;
    script::Host scripts_;
    AuditLog audit_;
    SuspicionTeller teller_;
    ClientBundle bundle_;
    AppPages app_pages_;
    Router router_;
    std::vector<transport::ListeningAddress> addresses_;
    std::atomic<bool> ready_{false};
    std::atomic<bool> draining_{false};
    std::mutex reloading_;
    std::vector<script::App> apps_;  // under it
    mutable std::mutex logging_;
    std::vector<script::LoadError> logged_;  // under it: what is known to be wrong
    std::unique_ptr<ScriptWatch> watch_;
    std::size_t peak_sessions_ = 0;  // since memory was last handed back
    const TimePoint started_ = Clock::now();
};

}  // namespace moonwire::server
