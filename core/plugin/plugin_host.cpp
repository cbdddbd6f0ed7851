#include "core/plugin/plugin_host.hpp"

#include <algorithm>
#include <memory>
#include <stdexcept>
#include <utility>

#include "core/base/json_text.hpp"
#include "core/base/log.hpp"
#include "core/socketio/packet.hpp"
#include "core/socketio/server.hpp"

namespace moonwire::plugin {
namespace {

log::Level level_of(LogLevel level) {
    switch (level) {
        case LogLevel::debug: return log::Level::debug;
        case LogLevel::info: return log::Level::info;
        case LogLevel::warn: return log::Level::warn;
        case LogLevel::error: break;
    }
    return log::Level::error;
}

/// `["event",…]`; nothing if the arguments are no array, or the event is the protocol's own.
std::optional<socketio::OwnedPayload> event_payload(std::string_view event, const Values& values) {
    const std::string_view json = values.json;
    const std::size_t first = json.find('[');
    const std::size_t content = json.find_first_not_of(" \t\r\n", first + 1);
    if (event.empty() || socketio::is_reserved_event(event) || first == json.npos ||
        content == json.npos)
        return std::nullopt;
    socketio::OwnedPayload payload;
    payload.json = "[" + json_string(event) + (json[content] == ']' ? "" : ",");
    payload.json += json.substr(content);
    for (const std::string& each : values.attachments)
        payload.attachments.push_back(SharedBytes::copy(each));
    return payload;
}

}  // namespace

void PluginHost::log(LogLevel level, std::string_view message,
                     std::initializer_list<LogField> fields) {
    if (!log::enabled(level_of(level))) return;
    std::vector<log::Field> all{{"plugin", plugin_}};
    for (const LogField& each : fields) all.emplace_back(each.name, each.value);
    log::write(level_of(level), message, all.data(), all.size());
}

void PluginHost::check_configuring() const {
    if (!configuring_) throw std::logic_error("provide is for Plugin::configure");
}

void PluginHost::provide(Module module) {
    check_configuring();
    provisions_.add(plugin_, std::move(module));
}

void PluginHost::provide(HttpRoute route) {
    check_configuring();
    provisions_.add(plugin_, std::move(route));
}

void PluginHost::provide(std::shared_ptr<Authenticator> authenticator) {
    check_configuring();
    provisions_.add(plugin_, std::move(authenticator));
}

void PluginHost::provide(std::shared_ptr<Adapter> adapter) {
    check_configuring();
    provisions_.add(plugin_, std::move(adapter));
}

void PluginHost::provide(MetricsSource source) {
    check_configuring();
    provisions_.add(plugin_, std::move(source));
}

void PluginHost::provide(StoreKind store) {
    check_configuring();
    provisions_.add(plugin_, std::move(store));
}

void PluginHost::request(OutgoingHttp request, std::function<void(HttpAnswer)> done) {
    if (surroundings_.request) surroundings_.request(std::move(request), std::move(done));
    else done({"not available here", {}});
}

std::shared_ptr<Client> PluginHost::connect(ClientOptions options, ClientListener listener) {
    if (!surroundings_.connect) throw std::invalid_argument("no server can be reached here");
    auto client = surroundings_.connect(std::move(options), std::move(listener));
    if (!client) throw std::invalid_argument(client.error().message);
    return *std::move(client);
}

Receipt PluginHost::receive(ClusterMessage message) {
    return surroundings_.sockets ? arrivals_.take(*surroundings_.sockets, std::move(message))
                                 : Receipt::unknown_namespace;
}

Metrics PluginHost::metrics() {
    return surroundings_.metrics ? surroundings_.metrics() : Metrics();
}

std::string PluginHost::stats() { return surroundings_.stats ? surroundings_.stats() : "{}"; }

bool PluginHost::emit(Emission emission) {
    auto payload = event_payload(emission.event, emission.arguments);
    if (!payload || !surroundings_.sockets) return false;
    auto group = surroundings_.sockets->group(emission.nsp);
    if (!group || group->reaches_nobody()) return false;
    engineio::SendOptions options;
    options.is_volatile = emission.is_volatile;
    Reactor& home = group->home();
    home.run([group = *std::move(group), options, payload = *std::move(payload),
              target = socketio::Target{std::move(emission.rooms), std::move(emission.except)}] {
        group.broadcast(target, payload.view(), options);
    });
    return true;
}

bool PluginHost::deliver(std::string nsp, std::string event, Values arguments) {
    auto payload = event_payload(event, arguments);
    return payload && surroundings_.deliver &&
           surroundings_.deliver(nsp, event, *std::move(payload));
}

void PluginHost::ask(std::string nsp, std::string name, Values arguments, Reply reply) {
    if (!surroundings_.ask) return reply(Answer::failure("unavailable", "no scripts run here"));
    socketio::OwnedPayload payload;
    payload.json = std::move(arguments.json);
    for (const std::string& each : arguments.attachments)
        payload.attachments.push_back(SharedBytes::copy(each));
    surroundings_.ask({plugin_, std::move(nsp), std::move(name)}, std::move(payload),
                      std::move(reply));
}

}  // namespace moonwire::plugin
