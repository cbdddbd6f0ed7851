#pragma once

#include <chrono>
#include <string>

namespace moonwire {

using Clock = std::chrono::steady_clock;
using Duration = Clock::duration;
using TimePoint = Clock::time_point;

/// Seconds since the epoch of wall-clock time, with a fraction.
double wall_seconds();

/// "2026-11-21T10:00:00.000Z", UTC, milliseconds (RFC 3339).
std::string iso_time(double wall_seconds);

}  // namespace moonwire
