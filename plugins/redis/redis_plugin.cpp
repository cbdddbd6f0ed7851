// The plugin "redis": joins brokers, and Node's Socket.IO servers, by a Redis server's channels.
#include <exception>
#include <memory>
#include <string>
#include <utility>
#include <variant>

#include "core/plugin/api/plugin.hpp"
#include "plugins/redis/figures.hpp"
#include "plugins/redis/limited_log.hpp"
#include "plugins/redis/options.hpp"
#include "plugins/redis/publisher.hpp"
#include "plugins/redis/subscriber.hpp"
#include "plugins/redis/wire.hpp"

namespace moonwire::redis {
namespace {

using namespace plugin;

class RedisPlugin final : public Plugin {
public:
    void configure(Host& host, Settings& settings) override {
        host_ = &host;
        options_ = read_options(settings);
        struct Forward final : Adapter {
            explicit Forward(RedisPlugin& to) : to(to) {}
            void publish(ClusterMessage message) override { to.publish(message); }
            RedisPlugin& to;
        };
        host.provide(std::make_shared<Forward>(*this));
        host.provide(MetricsSource([this](Metrics& all) {
            for (MetricFamily& family : metrics_of(figures_, publisher_->queued()))
                all.push_back(std::move(family));
        }));
    }

    void start() override {
        wire_ = std::make_unique<Wire>(options_.key, new_uid(), options_.namespaces);
        invalid_ = std::make_unique<LimitedLog>(*host_);
        publisher_ = std::make_unique<Publisher>(options_, *host_, figures_);
        subscriber_ = std::make_unique<Subscriber>(
            options_, std::vector{wire_->broadcast_pattern(), wire_->request_pattern()}, *host_,
            figures_,
            [this](std::string_view channel, std::string_view payload) { hear(channel, payload); });
        publisher_->start();
        subscriber_->start();
    }

    void stop() override {
        if (subscriber_) subscriber_->stop();
        if (publisher_) publisher_->stop();
    }

private:
    void publish(const ClusterMessage& message) {
        const auto* broadcast = std::get_if<ClusterBroadcast>(&message.what);
        publisher_->publish(wire_->write(message), broadcast && broadcast->is_volatile);
    }

    /// On the subscriber's thread.
    void hear(std::string_view channel, std::string_view payload) {
        if (payload.size() > options_.max_message_bytes) {
            figures_.drop(Dropped::too_large);
            return invalid_->warn("a message is too large", "channel", channel);
        }
        try {
            Received received = wire_->read(channel, payload);
            ++figures_.received[static_cast<std::size_t>(received.kind)];
            if (received.kind == Received::Kind::own || received.kind == Received::Kind::question)
                return;
            switch (host_->receive(std::move(received.message))) {
                case Receipt::taken:
                case Receipt::unknown_namespace: return;
                case Receipt::invalid: return figures_.drop(Dropped::invalid);
                case Receipt::full: return figures_.drop(Dropped::backlog);
            }
        } catch (const std::exception& problem) {
            figures_.drop(Dropped::invalid);
            invalid_->warn("a message is not understood", "why",
                           std::string(channel) + ": " + problem.what());
        }
    }

    Host* host_ = nullptr;
    Options options_;
    Figures figures_;
    std::unique_ptr<Wire> wire_;
    std::unique_ptr<LimitedLog> invalid_;
    std::unique_ptr<Publisher> publisher_;
    std::unique_ptr<Subscriber> subscriber_;
};

}  // namespace
}  // namespace moonwire::redis

MOONWIRE_PLUGIN("redis", moonwire::redis::RedisPlugin)
