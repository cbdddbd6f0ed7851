#include "core/server/broker.hpp"

#include <malloc.h>

#include <algorithm>
#include <thread>

#include "core/base/incidents.hpp"
#include "core/base/log.hpp"
#include "core/server/metrics.hpp"
#include "core/server/store.hpp"

namespace moonwire::server {
namespace {

unsigned thread_count(unsigned wanted) {
    if (wanted > 0) return wanted;
    return std::clamp(std::thread::hardware_concurrency(), 1u, 255u);
}

unsigned dedicated_count(const Settings& settings) {
    return static_cast<unsigned>(
        std::count_if(settings.namespaces.begin(), settings.namespaces.end(),
                      [](const auto& each) { return each.second.dedicated; }));
}

/// The last reactors are those of the namespaces that have one of their own.
script::HostOptions host_options(const Settings& settings, std::vector<script::App> apps,
                                 script::HttpClient& http, plugin::Store& store,
                                 transport::TransportServer& transport) {
    script::HostOptions options;
    options.apps = std::move(apps);
    options.http = &http;
    options.store = settings.store;
    options.store.store = &store;
    options.figures = settings.figures;
    unsigned next = transport.reactor_count();
    for (const auto& [name, own] : settings.namespaces)
        options.namespaces[name] = {own.limits(settings.script_limits),
                                    own.dedicated ? &transport.reactor(--next) : nullptr};
    options.limits = settings.script_limits;
    return options;
}

engineio::EngineOptions engine_options(const Settings& settings, ScriptGuard& guard) {
    engineio::EngineOptions options = settings.engine;
    options.guard = &guard;
    return options;
}

/// What the namespaces tell other nodes goes to the plugin that is the adapter, if one is.
socketio::ServerOptions socketio_options(const Settings& settings,
                                         const plugin::Provisions& provisions) {
    socketio::ServerOptions options = settings.socketio;
    options.nsp.peers = provisions.peers();
    return options;
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
      plugins_(std::move(configuration.plugins)),
      dir_(std::move(configuration.dir)),
      shared_(std::move(configuration.shared)),
      find_apps_(std::move(configuration.find_apps)),
      transport_(settings_.transport, thread_count(settings_.threads), dedicated_count(settings_)),
      reactors_(reactors_of(transport_, transport_.reactor_count())),
      lag_(reactors_),
      sockets_(socketio_options(settings_, plugins_->provisions()), reactors_),
      guard_(scripts_),
      engine_(engine_options(settings_, guard_), reactors_, sockets_),
      http_(settings_.http, reactors_),
      clients_(settings_.http),
      store_(make_store(settings_, dir_, plugins_->provisions())),
      scripts_(host_options(settings_, configuration.apps, http_, store_, transport_), sockets_,
               reactors_of(transport_, thread_count(settings_.threads))),
      audit_(settings_.audit),
      teller_(scripts_),
      bundle_(settings_.client_bundle ? std::filesystem::path(*settings_.client_bundle)
                                      : ClientBundle::beside_binary()),
      app_pages_(settings_.pages),
      router_(engine_, scripts_, bundle_, app_pages_, plugins_->provisions(),
              [this](std::string_view path) { return page(path); }),
      apps_(std::move(configuration.apps)) {
    app_pages_.set_apps(apps_);
}

Broker::~Broker() {
    stop();
    incidents().forget(teller_);
    incidents().forget(audit_);
}

std::vector<Reactor*> Broker::reactors_of(transport::TransportServer& transport, unsigned count) {
    std::vector<Reactor*> reactors;
    for (unsigned i = 0; i < count; ++i)
        reactors.push_back(&transport.reactor(i));
    return reactors;
}

Result<std::vector<transport::ListeningAddress>> Broker::start() {
    if (auto opened = http_.open(); !opened) return opened.error();
    for (const std::string& warning : plugins_->warnings()) log::warn(warning);
    if (auto opened = audit_.open(); !opened) return opened.error();
    if (audit_.enabled()) incidents().listen(audit_);
    incidents().listen(teller_);
    if (auto started = plugins_->start(surroundings()); !started) return started.error();
    // Perhaps one of theirs.
    if (std::string problem = store_.start(); !problem.empty()) return Error{std::move(problem)};
    const std::vector<script::LoadError> errors = scripts_.load();
    log_errors(errors, false);
    if (settings_.strict && !errors.empty())
        return Error{std::to_string(errors.size()) + " script error(s), and scripts.strict is on"};
    for (const auto& [name, target] : settings_.aliases) {
        if (auto added = sockets_.add_alias(name, target); !added) return added.error();
        if (!sockets_.find(target))
            log::warn("an alias leads to a namespace that no script serves",
                      {{"alias", name}, {"target", target}});
    }
    transport_.start();
    lag_.start();
    auto addresses = transport_.listen(router_);
    ready_ = addresses.has_value();
    if (addresses) addresses_ = *addresses;
    if (ready_ && settings_.watch)
        watch_ = std::make_unique<ScriptWatch>(std::vector{dir_, shared_},
                                               [this] { reload(ReloadCause::files_changed); });
    return addresses;
}

void Broker::reload(ReloadCause cause, Function<void(std::vector<script::LoadError>)> done) {
    std::lock_guard one_at_a_time(reloading_);
    std::optional<script::LoadError> stale;
    if (cause == ReloadCause::asked) {
        log::info("reloading scripts");
        audit_.reopen();
        if (auto renewed = transport_.reload_certificates(); !renewed)
            stale = {"server.tls", 0, "certificates not renewed, the old ones stay: " + renewed.error().message};
    }
    if (auto looked = look_for_apps(); !looked) {
        // As long as nobody can tell what is there, everything stays as it is.
        std::vector<script::LoadError> errors{{dir_.string(), 0, looked.error().message}};
        log_errors(errors, cause == ReloadCause::files_changed);
        if (done) done(std::move(errors));
        return;
    }
    scripts_.reload([this, cause, stale = std::move(stale),
                     done = std::move(done)](std::vector<script::LoadError> errors) mutable {
        if (stale) errors.push_back(*std::move(stale));
        log_errors(errors, cause == ReloadCause::files_changed);
        log::info("scripts reloaded", {{"errors", errors.size()}});
        if (done) done(std::move(errors));
    });
}

Result<void> Broker::look_for_apps() {
    auto found = find_apps_();
    if (!found) return found.error();
    // Settings are read at the start: what is there already keeps those that it has.
    for (script::App& app : *found)
        for (const script::App& known : apps_)
            if (known.folder == app.folder) app.setting = known.setting;
    apps_ = *std::move(found);
    scripts_.set_apps(apps_);
    app_pages_.set_apps(apps_);
    return {};
}

void Broker::log_errors(const std::vector<script::LoadError>& errors, bool only_new) {
    std::lock_guard lock(logging_);
    for (const script::LoadError& error : errors) {
        if (only_new && std::find(logged_.begin(), logged_.end(), error) != logged_.end()) continue;
        log::error("not loaded: " + error.text());
    }
    logged_ = errors;
}

std::vector<script::LoadError> Broker::load_errors() const {
    std::lock_guard lock(logging_);
    return logged_;
}

void Broker::tick() {
    give_back_memory();
    incidents().tell_repeats(Clock::now());
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
    draining_ = true;
    watch_.reset();
    transport_.stop_accepting();
    plugins_->drain();
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
    watch_.reset();
    scripts_.stop();
    http_.stop();
    store_.close();  // what it was given is kept; the answers find nobody
    transport_.stop();
    plugins_->stop();
    clients_.stop();
}

std::optional<transport::HttpResponse> Broker::page(std::string_view path) const {
    if (path == "/healthz") return response(200, "text/plain; charset=UTF-8", "ok\n");
    if (path == "/readyz") {
        return ready_ ? response(200, "text/plain; charset=UTF-8", "ready\n")
                      : response(503, "text/plain; charset=UTF-8", "not ready\n");
    }
    if (path == "/stats") {
        return response(200, "application/json", stats_json(figures()));
    }
    return std::nullopt;
}

StatsSources Broker::figures() const {
    return {transport_, engine_, sockets_,
            scripts_,   audit_,  *plugins_,
            store_,     lag_,    Clock::now() - started_};
}

plugin::Surroundings Broker::surroundings() {
    plugin::Surroundings around;
    around.sockets = &sockets_;
    around.deliver = [this](const std::string& nsp, const std::string& event,
                            socketio::OwnedPayload payload) {
        return scripts_.deliver(nsp, event, std::move(payload));
    };
    around.ask = [this](plugin::AskedHandler asked, socketio::OwnedPayload payload,
                        plugin::Reply reply) {
        scripts_.ask(asked.nsp, asked.plugin, std::move(asked.name), std::move(payload),
                     std::move(reply));
    };
    around.connect = [this](plugin::ClientOptions options, plugin::ClientListener listener) {
        return clients_.connect(std::move(options), std::move(listener));
    };
    around.stats = [this] { return stats_json(figures()); };
    around.metrics = [this] { return collect_metrics(figures()); };
    around.request = [this](plugin::OutgoingHttp request,
                            std::function<void(plugin::HttpAnswer)> done) {
        Reactor& reactor = *reactors_.front();
        // The client is called on the reactor that it answers on.
        reactor.post([this, &reactor, request = std::move(request),
                      done = std::move(done)]() mutable {
            http_.request(
                {std::move(request.method), std::move(request.url), std::move(request.headers),
                 std::move(request.body), request.timeout},
                reactor, [done = std::move(done)](Result<script::IncomingResponse> result) {
                    if (!result) return done({result.error().message, {}});
                    done({{},
                          {result->status, std::move(result->headers), std::move(result->body)}});
                });
        });
    };
    return around;
}

}  // namespace moonwire::server
