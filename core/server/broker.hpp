#pragma once

#include <atomic>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/engineio/engine.hpp"
#include "core/script/host.hpp"
#include "core/server/apps.hpp"
#include "core/server/http_client.hpp"
#include "core/server/router.hpp"
#include "core/server/script_guard.hpp"
#include "core/socketio/server.hpp"
#include "core/transport/server.hpp"

namespace moonwire::server {

/// The whole broker, wired: every layer above the one that it stands on.
///
/// Made, started and stopped on one thread (main's), which is none of the reactors.
class Broker {
public:
    explicit Broker(Configuration configuration);
    ~Broker();

    /// Loads the scripts and begins to serve; where. Scripts with errors are logged and left out.
    Result<std::vector<transport::ListeningAddress>> start();
    /// Gives every namespace its next generation and reads the certificates anew; errors are logged.
    void reload();
    /// Hands memory that a past crowd needed back to the system. Call every second or so.
    void give_back_memory();
    /// Stops accepting, tells the clients, and waits until they are gone or the time is over.
    void drain();
    /// Ends everything at once.
    void stop();

    const Settings& settings() const noexcept { return settings_; }
    unsigned reactor_count() const { return transport_.reactor_count(); }

private:
    std::optional<transport::HttpResponse> page(std::string_view path) const;
    static std::vector<Reactor*> reactors_of(transport::TransportServer& transport);

    const Settings settings_;
    transport::TransportServer transport_;
    const std::vector<Reactor*> reactors_;
    socketio::Server sockets_;
    ScriptGuard guard_;
    engineio::Engine engine_;
    HttpClient http_;
    script::Host scripts_;
    ClientBundle bundle_;
    Router router_;
    std::atomic<bool> ready_{false};
    std::size_t peak_sessions_ = 0;  // since memory was last handed back
    const TimePoint started_ = Clock::now();
};

}  // namespace moonwire::server
