#include "plugins/metrics/open_metrics.hpp"

#include <charconv>
#include <cmath>
#include <ostream>
#include <string>
#include <string_view>

namespace moonwire::metrics {
namespace {

using prometheus::ClientMetric;
using prometheus::MetricFamily;
using prometheus::MetricType;

constexpr std::string_view kTotal = "_total";

void write_escaped(std::ostream& out, std::string_view text) {
    for (const char c : text) {
        if (c == '\n') out << "\\n";
        else if (c == '\\' || c == '"') out << '\\' << c;
        else out << c;
    }
}

std::string number(double value) {
    if (std::isnan(value)) return "NaN";
    if (std::isinf(value)) return value > 0 ? "+Inf" : "-Inf";
    char digits[64];
    const auto end =
        std::to_chars(digits, digits + sizeof digits, value, std::chars_format::general).ptr;
    return {digits, end};
}

/// A bound is a float, and is written as one.
std::string bound(double value) {
    std::string text = number(value);
    if (text.find_first_of(".eI") == std::string::npos) text += ".0";
    return text;
}

void write_sample(std::ostream& out, std::string_view name, std::string_view suffix,
                  const ClientMetric& metric, const std::string& value,
                  const double* le = nullptr) {
    out << name << suffix;
    const char* before = "{";
    for (const auto& label : metric.label) {
        out << before << label.name << "=\"";
        write_escaped(out, label.value);
        out << '"';
        before = ",";
    }
    if (le) {
        out << before << "le=\"" << bound(*le) << '"';
        before = ",";
    }
    if (*before == ',') out << '}';
    out << ' ' << value << '\n';
}

void write_family(std::ostream& out, const MetricFamily& family) {
    std::string_view name = family.name;
    const bool counter = family.type == MetricType::Counter;
    const bool histogram = family.type == MetricType::Histogram;
    if (counter && name.ends_with(kTotal)) name.remove_suffix(kTotal.size());
    out << "# HELP " << name << ' ';
    write_escaped(out, family.help);
    out << "\n# TYPE " << name
        << (counter     ? " counter\n"
            : histogram ? " histogram\n"
                        : " gauge\n");
    for (const ClientMetric& metric : family.metric) {
        if (counter) {
            write_sample(out, name, kTotal, metric, number(metric.counter.value));
        } else if (histogram) {
            for (const auto& bucket : metric.histogram.bucket)
                write_sample(out, name, "_bucket", metric, std::to_string(bucket.cumulative_count),
                             &bucket.upper_bound);
            write_sample(out, name, "_count", metric,
                         std::to_string(metric.histogram.sample_count));
            write_sample(out, name, "_sum", metric, number(metric.histogram.sample_sum));
        } else {
            write_sample(out, name, "", metric, number(metric.gauge.value));
        }
    }
}

}  // namespace

void OpenMetricsSerializer::Serialize(std::ostream& out,
                                      const std::vector<MetricFamily>& families) const {
    for (const MetricFamily& family : families) write_family(out, family);
    out << "# EOF\n";
}

}  // namespace moonwire::metrics
