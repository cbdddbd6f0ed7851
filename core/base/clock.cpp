#include "core/base/clock.hpp"

#include <cmath>
#include <cstdint>
#include <cstdio>
#include <ctime>

namespace moonwire {

double wall_seconds() {
    return std::chrono::duration<double>(std::chrono::system_clock::now().time_since_epoch())
        .count();
}

std::string iso_time(double wall_seconds) {
    // A whole millisecond may be a hair less in binary.
    const auto total_ms = static_cast<std::int64_t>(std::floor(wall_seconds * 1000.0 + 1e-3));
    std::time_t seconds = static_cast<std::time_t>(total_ms / 1000);
    int ms = static_cast<int>(total_ms % 1000);
    if (ms < 0) {
        ms += 1000;
        --seconds;
    }
    std::tm utc{};
    gmtime_r(&seconds, &utc);
    char text[48];
    std::snprintf(text, sizeof text, "%04d-%02d-%02dT%02d:%02d:%02d.%03dZ", utc.tm_year + 1900,
                  utc.tm_mon + 1, utc.tm_mday, utc.tm_hour, utc.tm_min, utc.tm_sec, ms);
    return text;
}

}  // namespace moonwire
