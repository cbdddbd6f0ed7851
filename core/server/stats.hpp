#pragma once

#include <string>

#include "core/base/clock.hpp"
#include "core/engineio/engine.hpp"
#include "core/plugin/plugins.hpp"
#include "core/script/host.hpp"
#include "core/server/audit_log.hpp"
#include "core/socketio/server.hpp"
#include "core/transport/server.hpp"

namespace moonwire::server {

/// What /stats looks at.
struct StatsSources {
    const transport::TransportServer& transport;
    const engineio::Engine& engine;
    const socketio::Server& sockets;
    const script::Host& scripts;
    const AuditLog& audit;
    const plugin::Plugins& plugins;
    Duration uptime;
};

/// The answer of GET /stats. Any thread: every figure is a counter read as it stands.
std::string stats_json(const StatsSources& sources);

}  // namespace moonwire::server
