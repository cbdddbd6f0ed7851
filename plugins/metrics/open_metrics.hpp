#pragma once

#include <prometheus/serializer.h>

namespace moonwire::metrics {

/// OpenMetrics 1.0 text, which the library lacks. Counters' names end in `_total`. Any thread.
class OpenMetricsSerializer final : public prometheus::Serializer {
public:
    using Serializer::Serialize;
    void Serialize(std::ostream& out,
                   const std::vector<prometheus::MetricFamily>& families) const override;
};

}  // namespace moonwire::metrics
