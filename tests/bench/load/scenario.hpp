#pragma once

#include <string>

#include "tests/bench/load/options.hpp"
#include "tests/bench/load/stream.hpp"

namespace bench {

/// Each runs one pattern of load and returns its figures as JSON; throws Failed.
std::string run_broadcast(const Options& options, const Endpoint& endpoint);
std::string run_request(const Options& options, const Endpoint& endpoint);
std::string run_storm(const Options& options, const Endpoint& endpoint);
std::string run_idle(const Options& options, const Endpoint& endpoint);

}  // namespace bench
