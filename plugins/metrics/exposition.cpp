#include "plugins/metrics/exposition.hpp"

#include <prometheus/metric_family.h>
#include <prometheus/text_serializer.h>

#include <algorithm>
#include <charconv>
#include <limits>
#include <utility>
#include <vector>

#include "plugins/metrics/open_metrics.hpp"

namespace moonwire::metrics {
namespace {

constexpr std::string_view kOpenMetrics = "application/openmetrics-text";

prometheus::MetricType type_of(plugin::MetricKind kind) {
    switch (kind) {
        case plugin::MetricKind::counter: return prometheus::MetricType::Counter;
        case plugin::MetricKind::gauge: return prometheus::MetricType::Gauge;
        case plugin::MetricKind::histogram: break;
    }
    return prometheus::MetricType::Histogram;
}

prometheus::ClientMetric::Histogram histogram_of(const plugin::MetricFamily& family,
                                                 const plugin::MetricSample& sample) {
    prometheus::ClientMetric::Histogram histogram;
    histogram.sample_sum = sample.value;
    for (std::size_t i = 0; i < sample.counts.size(); ++i) {
        histogram.sample_count += sample.counts[i];
        const double bound =
            i < family.bounds.size() ? family.bounds[i] : std::numeric_limits<double>::infinity();
        histogram.bucket.push_back({histogram.sample_count, bound});
    }
    return histogram;
}

prometheus::MetricFamily family_of(const plugin::MetricFamily& from) {
    prometheus::MetricFamily family;
    family.name = from.name;
    family.help = from.help;
    family.type = type_of(from.kind);
    for (const plugin::MetricSample& sample : from.samples) {
        prometheus::ClientMetric metric;
        for (std::size_t i = 0; i < from.labels.size() && i < sample.labels.size(); ++i)
            metric.label.push_back({from.labels[i], sample.labels[i]});
        switch (from.kind) {
            case plugin::MetricKind::counter: metric.counter.value = sample.value; break;
            case plugin::MetricKind::gauge: metric.gauge.value = sample.value; break;
            case plugin::MetricKind::histogram:
                metric.histogram = histogram_of(from, sample);
                break;
        }
        family.metric.push_back(std::move(metric));
    }
    return family;
}

std::string_view trim(std::string_view text) {
    while (!text.empty() && (text.front() == ' ' || text.front() == '\t')) text.remove_prefix(1);
    while (!text.empty() && (text.back() == ' ' || text.back() == '\t')) text.remove_suffix(1);
    return text;
}

/// Takes what is before the separator, which goes, too.
std::string_view take(std::string_view& text, char separator) {
    const std::size_t end = text.find(separator);
    const std::string_view part = text.substr(0, end);
    text.remove_prefix(end == text.npos ? text.size() : end + 1);
    return trim(part);
}

double weight_of(std::string_view parameters) {
    while (!parameters.empty()) {
        const std::string_view each = take(parameters, ';');
        if (!each.starts_with("q=")) continue;
        double weight = 0;
        std::from_chars(each.data() + 2, each.data() + each.size(), weight);
        return weight;
    }
    return 1;
}

}  // namespace

Format choose_format(std::string_view accept) {
    double open_metrics = 0, text = 0;
    while (!accept.empty()) {
        std::string_view range = take(accept, ',');
        const std::string_view type = take(range, ';');
        const double weight = weight_of(range);
        if (type == kOpenMetrics) open_metrics = std::max(open_metrics, weight);
        else if (type == "text/plain") text = std::max(text, weight);
    }
    return open_metrics > 0 && open_metrics >= text ? Format::open_metrics : Format::text;
}

const char* content_type(Format format) {
    return format == Format::open_metrics
               ? "application/openmetrics-text; version=1.0.0; charset=utf-8"
               : "text/plain; version=0.0.4; charset=utf-8";
}

std::string expose(const plugin::Metrics& metrics, Format format) {
    std::vector<prometheus::MetricFamily> families;
    for (const plugin::MetricFamily& each : metrics) families.push_back(family_of(each));
    const prometheus::TextSerializer text;
    const OpenMetricsSerializer open_metrics;
    const prometheus::Serializer& serializer =
        format == Format::open_metrics ? static_cast<const prometheus::Serializer&>(open_metrics)
                                       : text;
    return serializer.Serialize(families);
}

}  // namespace moonwire::metrics
