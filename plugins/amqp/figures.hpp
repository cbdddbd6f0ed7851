#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "core/plugin/api/metrics.hpp"

namespace moonwire::amqp {

/// What a connection has done so far, over all its reconnections.
struct Figures {
    std::uint64_t attempts = 0, reconnections = 0;
    std::uint64_t sent = 0;     // published and confirmed
    std::uint64_t failed = 0;   // not: unroutable, refused, timed out
    std::uint64_t dropped = 0;  // for want of room in the buffer
    std::uint64_t received = 0, acknowledged = 0, retried = 0, dead_lettered = 0;
    std::uint64_t rejected = 0;  // failed, and no dead letters were asked for
};

struct ConsumerFigures {
    std::string queue;
    const char* state = "";  // "consuming", "waiting" (for a connection, or its time), "ending"
    std::string error;       // why the last attempt came to nothing
    std::size_t in_hand = 0;
};

/// How a connection is, for scripts.
struct Status {
    using Time = std::chrono::steady_clock::time_point;

    std::string url;                   // without user and password
    const char* state = "connecting";  // then "connected", "blocked", "disconnected", "refused" …
    std::string last_error;
    std::size_t queued = 0;  // published, and not confirmed yet
    Figures figures;
    std::vector<ConsumerFigures> consumers;
    std::optional<Time> first_connected, connected_since;
    Time::duration up_before{0};  // over earlier connections
};

struct ConnectionStatus {
    std::string nsp, name;
    Status status;
};

/// The same for monitoring systems: a family each, with the labels namespace and connection.
plugin::Metrics metrics_of(const std::vector<ConnectionStatus>& connections);

/// A JSON object. Times are seconds; `uptime_percent` is of the time since the first connection.
std::string status_json(const Status& status, Status::Time now);

}  // namespace moonwire::amqp
