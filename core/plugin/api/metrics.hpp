#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

namespace moonwire::plugin {

/// A counter only grows (its name ends in `_total`); a gauge is what it is now; a histogram counts
/// how often something was how large.
enum class MetricKind : std::uint8_t { counter, gauge, histogram };

/// One time series of a family.
struct MetricSample {
    std::vector<std::string> labels = {};  // values of the family's labels, in their order; UTF-8
    double value = 0;                      // of a histogram: the sum of all that was observed
    std::vector<std::uint64_t> counts =
        {};  // of a histogram: each bucket's own, one more than bounds
};

/// What is known of one thing, with a series for each combination of its labels' values.
struct MetricFamily {
    std::string name;  // as Prometheus has it: "moonwire_events_received_total"
    std::string help;
    MetricKind kind = MetricKind::counter;
    std::vector<std::string> labels = {};  // their names
    std::vector<double> bounds = {};  // of a histogram: its buckets' upper bounds, but for infinity
    std::vector<MetricSample> samples = {};
};
using Metrics = std::vector<MetricFamily>;

/// A plugin's own figures: appends families, whose names begin with the plugin's own ("jwt_…"), so
/// that nobody else's are taken. Called on any thread each time somebody looks, from Plugin::start
/// until Plugin::stop; must return soon. An exception is logged, and the plugin's figures are left
/// out of that look.
using MetricsSource = std::function<void(Metrics&)>;

}  // namespace moonwire::plugin
