#pragma once

#include <string>

#include "core/plugin/api/host.hpp"
#include "core/plugin/arrivals.hpp"
#include "core/plugin/plugins.hpp"

namespace moonwire::plugin {

/// The broker as one plugin sees it. Refers to what the plugins share, which outlives it.
class PluginHost final : public Host {
public:
    PluginHost(std::string plugin, Provisions& provisions, const Surroundings& surroundings)
        : plugin_(std::move(plugin)),
          provisions_(provisions),
          surroundings_(surroundings),
          arrivals_(plugin_) {}

    /// From here on nothing more can be provided.
    void end_configuring() { configuring_ = false; }

    void log(LogLevel level, std::string_view message,
             std::initializer_list<LogField> fields) override;
    void provide(Module module) override;
    void provide(HttpRoute route) override;
    void provide(std::shared_ptr<Authenticator> authenticator) override;
    void provide(std::shared_ptr<Adapter> adapter) override;
    void provide(MetricsSource source) override;
    void provide(StoreKind store) override;
    void request(OutgoingHttp request, std::function<void(HttpAnswer)> done) override;
    std::shared_ptr<Client> connect(ClientOptions options, ClientListener listener) override;
    Receipt receive(ClusterMessage message) override;
    std::string stats() override;
    Metrics metrics() override;
    bool emit(Emission emission) override;
    bool deliver(std::string nsp, std::string event, Values arguments) override;
    void ask(std::string nsp, std::string name, Values arguments, Reply reply) override;

private:
    void check_configuring() const;

    const std::string plugin_;
    Provisions& provisions_;
    const Surroundings& surroundings_;
    Arrivals arrivals_;
    bool configuring_ = true;
};

}  // namespace moonwire::plugin
