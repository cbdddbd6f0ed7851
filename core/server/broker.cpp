#include "core/server/broker.hpp"

#include <malloc.h>

#include <algorithm>
#include <thread>

#include "core/base/log.hpp"
#include "core/server/stats.hpp"

namespace moonwire::server {
namespace {

unsigned thread_count(unsigned wanted) {
    if (wanted > 0) return wanted;
    return std::clamp(std::thread::hardware_concurrency(), 1u, 255u);
}

script::HostOptions host_options(const Settings& settings, std::vector<script::App> apps,
                                 script::HttpClient& http) {
    script::HostOptions options;
    options.apps = std::move(apps);
    options.http = &http;
    options.namespace_memory_bytes = settings.namespace_memory_bytes;
    options.coroutines_per_namespace = settings.coroutines;
    options.timers_per_namespace = settings.timers;
    options.check_emits = settings.check_emits;
    return options;
}

engineio::EngineOptions engine_options(const Settings& settings, ScriptGuard& guard) {
    engineio::EngineOptions options = settings.engine;
    options.guard = &guard;
    return options;
}

void log_errors(const std::vector<script::LoadError>& errors) {
    for (const script::LoadError& error : errors) {
        log::error("script not loaded: " + error.message,
                   {{"file", error.file}, {"line", error.line}});
    }
}

transport::HttpResponse response(unsigned status, std::string type, std::string body) {
    transport::HttpResponse made;
    made.status = status;
    made.headers = {{"content-type", std::move(type)}, {"cache-control", "no-store"}};
    made.body = std::move(body);
    return made;
}

}  // namespace

Broker::Broker(Configuration configuration)
    : settings_(std::move(configuration.settings)),
      transport_(settings_.transport, thread_count(settings_.threads)),
      reactors_(reactors_of(transport_)),
      sockets_(settings_.socketio, reactors_),
      guard_(scripts_),
      engine_(engine_options(settings_, guard_), reactors_, sockets_),
      http_(settings_.http, reactors_),
      scripts_(host_options(settings_, std::move(configuration.apps), http_), sockets_, reactors_),
      bundle_(settings_.client_bundle),
      router_(engine_, scripts_, bundle_, [this](std::string_view path) { return page(path); }) {}

Broker::~Broker() { stop(); }

std::vector<Reactor*> Broker::reactors_of(transport::TransportServer& transport) {
    std::vector<Reactor*> reactors;
    for (unsigned i = 0; i < transport.reactor_count(); ++i)
        reactors.push_back(&transport.reactor(i));
    return reactors;
}

Result<std::vector<transport::ListeningAddress>> Broker::start() {
    if (auto opened = http_.open(); !opened) return opened.error();
    log_errors(scripts_.load());
    for (const auto& [name, target] : settings_.aliases) {
        if (auto added = sockets_.add_alias(name, target); !added) return added.error();
        if (!sockets_.find(target))
            log::warn("an alias leads to a namespace that no script serves",
                      {{"alias", name}, {"target", target}});
    }
    transport_.start();
    auto addresses = transport_.listen(router_);
    ready_ = addresses.has_value();
    return addresses;
}

void Broker::reload() {
    if (auto renewed = transport_.reload_certificates(); !renewed)
        log::error("certificates not renewed, the old ones stay",
                   {{"reason", renewed.error().message}});
    log::info("reloading scripts");
    scripts_.reload([](std::vector<script::LoadError> errors) {
        log_errors(errors);
        log::info("scripts reloaded", {{"errors", errors.size()}});
    });
}

void Broker::give_back_memory() {
    // The allocator keeps what is freed; walking its heaps is only worth it after a crowd has gone.
    constexpr std::size_t kCrowd = 500;
    const std::size_t sessions = engine_.session_count();
    peak_sessions_ = std::max(peak_sessions_, sessions);
    if (peak_sessions_ - sessions < std::max(kCrowd, peak_sessions_ / 2)) return;
    malloc_trim(0);
    peak_sessions_ = sessions;
}

void Broker::drain() {
    ready_ = false;
    transport_.stop_accepting();
    sockets_.shut_down();
    engine_.shut_down();
    const TimePoint deadline = Clock::now() + settings_.drain;
    while (engine_.session_count() > 0 && Clock::now() < deadline)
        std::this_thread::sleep_for(std::chrono::milliseconds(5));
    if (const std::size_t left = engine_.session_count())
        log::warn("drain ended with sessions left", {{"sessions", left}});
}

void Broker::stop() {
    ready_ = false;
    scripts_.stop();
    http_.stop();
    transport_.stop();
}

std::optional<transport::HttpResponse> Broker::page(std::string_view path) const {
    if (path == "/healthz") return response(200, "text/plain; charset=UTF-8", "ok\n");
    if (path == "/readyz") {
        return ready_ ? response(200, "text/plain; charset=UTF-8", "ready\n")
                      : response(503, "text/plain; charset=UTF-8", "not ready\n");
    }
    if (path == "/stats") {
        return response(200, "application/json",
                        stats_json({transport_, engine_, sockets_, scripts_,
                                    Clock::now() - started_}));
    }
    return std::nullopt;
}

}  // namespace moonwire::server
