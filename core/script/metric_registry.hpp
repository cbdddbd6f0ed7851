#pragma once

#include <map>
#include <memory>
#include <mutex>
#include <string>

#include "core/base/result.hpp"
#include "core/script/figure_limits.hpp"
#include "core/script/metric.hpp"

namespace moonwire::script {

/// A generation's hold on a metric: while any lives, the metric is shown and keeps its values.
struct MetricLease {
    std::shared_ptr<Metric> metric;
};

/// The metrics of all namespaces' scripts. A name means the same everywhere. Any thread.
class MetricRegistry {
public:
    explicit MetricRegistry(FigureLimits limits) : limits_(limits) {}

    const FigureLimits& limits() const noexcept { return limits_; }
    /// The namespace's metric of this name, made if there is none. An error if it is another one
    /// there, or in a different namespace.
    Result<std::shared_ptr<MetricLease>> declare(const std::string& nsp, MetricShape shape);
    /// What there is now, in order of names. Their first label is `namespace`.
    plugin::Metrics collect() const;

private:
    using Owners = std::map<std::string, std::weak_ptr<MetricLease>>;  // by namespace

    const FigureLimits limits_;
    mutable std::mutex mutex_;
    std::map<std::string, Owners> metrics_;  // by family
};

}  // namespace moonwire::script
