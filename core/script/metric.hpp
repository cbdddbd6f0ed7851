#pragma once

#include <atomic>
#include <cstddef>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/base/counter.hpp"
#include "core/plugin/api/metrics.hpp"

namespace moonwire::script {

/// What a script declares: `metrics.counter(name, help, labels)`.
struct MetricShape {
    plugin::MetricKind kind = plugin::MetricKind::counter;
    std::string name, help;
    std::vector<std::string> labels;
    std::vector<double> bounds;  // of a histogram

    /// Names that Prometheus would refuse, or that are the broker's own; nothing if all is well.
    std::optional<std::string> problem() const;
    /// What tells it from others: its name without a counter's `_total`, as OpenMetrics has it.
    std::string family() const;
    /// What differs from this in what belongs together: "is a counter with the labels {a}"; nothing
    /// if they agree. The help may differ.
    std::optional<std::string> conflict(const MetricShape& other) const;
};

/// A script's metric in one namespace: a series for each combination of its labels' values.
///
/// Its home reactor writes, any thread looks. With `max_series` combinations there, further ones
/// count in the one whose labels are all "other", and the log says so once.
class Metric {
public:
    static constexpr std::size_t kMaxValueBytes = 128;  // of a label; what is longer is cut
    static constexpr const char* kOther = "other";

    Metric(MetricShape shape, std::string nsp, std::size_t max_series)
        : shape_(std::move(shape)), nsp_(std::move(nsp)), max_series_(max_series) {}

    const MetricShape& shape() const noexcept { return shape_; }

    // Home reactor. `key` names the series: append_label for each label, in their order.
    void add(std::string_view key, double by) {
        Series& series = find(key);
        series.value.store(series.value.load(std::memory_order_relaxed) + by,
                           std::memory_order_relaxed);
    }
    void set(std::string_view key, double to) {
        find(key).value.store(to, std::memory_order_relaxed);
    }
    void observe(std::string_view key, double value);
    /// Appends a label's value, made what Prometheus takes.
    static void append_label(std::string& key, std::string_view value);

    /// Any thread. `append`s samples whose labels begin with the namespace.
    void append(std::vector<plugin::MetricSample>& samples) const;

private:
    struct Series {
        std::atomic<double> value{0};
        std::vector<Counter> counts;
    };
    Series& find(std::string_view key);
    Series& make(std::string key);

    const MetricShape shape_;
    const std::string nsp_;
    const std::size_t max_series_;
    bool told_ = false;         // that there are too many
    mutable std::mutex mutex_;  // for whoever adds a series, and whoever looks from elsewhere
    std::map<std::string, std::unique_ptr<Series>, std::less<>> series_;  // by key
};

}  // namespace moonwire::script
