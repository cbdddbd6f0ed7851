#pragma once

#include "core/plugin/api/metrics.hpp"
#include "core/server/stats.hpp"

namespace moonwire::server {

/// The broker's figures as metrics, `moonwire_…` and `process_…`, with those of scripts and
/// plugins: what Host::metrics gives to plugins. Names are there once; the broker's come first,
/// then the scripts'. Any thread.
plugin::Metrics collect_metrics(const StatsSources& sources);

}  // namespace moonwire::server
