#pragma once

#include <string>
#include <utility>
#include <vector>

#include "core/base/latencies.hpp"
#include "core/plugin/api/metrics.hpp"

namespace moonwire::server {

/// Writes families one after the other: each function that names one begins it, and `add` gives it
/// a series.
class MetricWriter {
public:
    using Names = std::vector<std::string>;
    using Kind = plugin::MetricKind;

    MetricWriter& counter(std::string name, std::string help, Names labels = {}) {
        return begin(std::move(name), std::move(help), Kind::counter, std::move(labels));
    }
    MetricWriter& gauge(std::string name, std::string help, Names labels = {}) {
        return begin(std::move(name), std::move(help), Kind::gauge, std::move(labels));
    }
    /// Of seconds.
    MetricWriter& histogram(std::string name, std::string help, Names labels = {}) {
        begin(std::move(name), std::move(help), Kind::histogram, std::move(labels));
        for (const auto bound : Latencies::kBounds)
            all_.back().bounds.push_back(std::chrono::duration<double>(bound).count());
        return *this;
    }

    template <typename Number>
    MetricWriter& add(Number value, Names labels = {}) {
        all_.back().samples.push_back({std::move(labels), static_cast<double>(value), {}});
        return *this;
    }
    MetricWriter& add(const Latencies::Snapshot& times, Names labels = {}) {
        all_.back().samples.push_back(
            {std::move(labels), times.seconds, {times.counts.begin(), times.counts.end()}});
        return *this;
    }

    plugin::Metrics take() { return std::move(all_); }

private:
    MetricWriter& begin(std::string name, std::string help, Kind kind, Names labels) {
        all_.push_back({std::move(name), std::move(help), kind, std::move(labels), {}, {}});
        return *this;
    }

    plugin::Metrics all_;
};

}  // namespace moonwire::server
