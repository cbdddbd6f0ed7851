#pragma once

#include <cstdint>
#include <string>

#include "core/base/clock.hpp"
#include "core/base/counter.hpp"
#include "core/engineio/engine.hpp"
#include "core/plugin/measured_store.hpp"
#include "core/plugin/plugins.hpp"
#include "core/script/host.hpp"
#include "core/server/audit_log.hpp"
#include "core/server/reactor_lag.hpp"
#include "core/socketio/server.hpp"
#include "core/transport/server.hpp"

namespace moonwire::server {

/// The one place that /stats and metrics take their figures from: the layers' own counters.
struct StatsSources {
    const transport::TransportServer& transport;
    const engineio::Engine& engine;
    const socketio::Server& sockets;
    const script::Host& scripts;
    const AuditLog& audit;
    const plugin::Plugins& plugins;
    const plugin::MeasuredStore& store;
    const ReactorLag& lag;
    Duration uptime;
};

/// One figure, summed over the reactors.
template <typename Layer, typename Stats>
std::uint64_t sum_of(const Layer& layer, unsigned reactors, Counter Stats::*figure) {
    std::uint64_t total = 0;
    for (unsigned i = 0; i < reactors; ++i) total += (layer.stats(i).*figure).get();
    return total;
}
std::uint64_t refused_requests(const engineio::Engine& engine, unsigned reactors,
                               engineio::RefusalReason reason);

/// The answer of GET /stats. Any thread: every figure is a counter read as it stands.
std::string stats_json(const StatsSources& sources);

}  // namespace moonwire::server
