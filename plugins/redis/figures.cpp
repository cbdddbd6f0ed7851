#include "plugins/redis/figures.hpp"

#include <string>
#include <utility>

namespace moonwire::redis {
namespace {

using plugin::MetricFamily;
using plugin::MetricKind;

constexpr std::array<const char*, kDropped> kReasons{
    "queue_full", "away", "unconfirmed", "refused", "too_large", "invalid", "backlog"};

}  // namespace

plugin::Metrics metrics_of(const Figures& figures, std::size_t queued) {
    const auto one = [](const char* name, const char* help, MetricKind kind, double value) {
        return MetricFamily{name, help, kind, {}, {}, {{{}, value, {}}}};
    };
    MetricFamily connected{"redis_connected",
                           "Whether the connection to the server is there.",
                           MetricKind::gauge,
                           {"connection"},
                           {},
                           {}};
    connected.samples.push_back({{"publish"}, figures.publishing ? 1.0 : 0.0, {}});
    connected.samples.push_back({{"subscribe"}, figures.subscribed ? 1.0 : 0.0, {}});
    MetricFamily received{"redis_received_total",
                          "Messages that came, by what they are; own ones are ignored.",
                          MetricKind::counter,
                          {"kind"},
                          {},
                          {}};
    for (std::size_t i = 0; i < figures.received.size(); ++i)
        received.samples.push_back({{std::string(name_of(static_cast<Received::Kind>(i)))},
                                    static_cast<double>(figures.received[i]),
                                    {}});
    MetricFamily dropped{"redis_dropped_total",
                         "Messages that went no further, in either direction.",
                         MetricKind::counter,
                         {"reason"},
                         {},
                         {}};
    for (std::size_t i = 0; i < kDropped; ++i)
        dropped.samples.push_back({{kReasons[i]}, static_cast<double>(figures.dropped[i]), {}});
    plugin::Metrics all;
    all.push_back(std::move(connected));
    all.push_back(one("redis_queued", "Messages that wait to be published.", MetricKind::gauge,
                      static_cast<double>(queued)));
    all.push_back(one("redis_published_total", "Messages that the server took.",
                      MetricKind::counter, static_cast<double>(figures.published)));
    all.push_back(one("redis_reconnections_total", "Connections made anew.", MetricKind::counter,
                      static_cast<double>(figures.reconnections)));
    all.push_back(std::move(received));
    all.push_back(std::move(dropped));
    return all;
}

}  // namespace moonwire::redis
