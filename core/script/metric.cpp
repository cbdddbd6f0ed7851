#include "core/script/metric.hpp"

#include <algorithm>
#include <cctype>
#include <cstdint>
#include <cstring>

#include "core/base/log.hpp"
#include "core/base/utf8.hpp"

namespace moonwire::script {
namespace {

constexpr std::size_t kMaxNameBytes = 200;
constexpr std::size_t kMaxLabels = 10;
constexpr std::size_t kMaxBounds = 50;
constexpr std::string_view kReserved[] = {"moonwire_", "process_"};
/// What Prometheus makes of a name itself.
constexpr std::string_view kSuffixes[] = {"_bucket", "_count", "_sum", "_created", "_info"};
constexpr std::string_view kTotal = "_total";

bool is_name(std::string_view name) {
    return !name.empty() && name.size() <= kMaxNameBytes &&
           !std::isdigit(static_cast<unsigned char>(name.front())) &&
           std::all_of(name.begin(), name.end(), [](char c) {
               return c == '_' || (static_cast<unsigned char>(c) < 0x80 &&
                                   std::isalnum(static_cast<unsigned char>(c)));
           });
}

std::string kind_of(const MetricShape& shape) {
    switch (shape.kind) {
        case plugin::MetricKind::counter: return "a counter";
        case plugin::MetricKind::gauge: return "a gauge";
        case plugin::MetricKind::histogram: break;
    }
    return "a histogram";
}

std::string list_of(const std::vector<std::string>& names) {
    std::string list;
    for (const std::string& each : names) list += (list.empty() ? "" : ", ") + each;
    return "{" + list + "}";
}

std::optional<std::string> problem_of_label(const MetricShape& shape, const std::string& label) {
    if (!is_name(label) || label.starts_with("__"))
        return "'" + label + "' is no label's name: letters, digits and '_', not a digit first";
    if (label == "namespace" || label == "le")
        return "the label '" + label + "' is set by the broker";
    if (std::count(shape.labels.begin(), shape.labels.end(), label) > 1)
        return "the label '" + label + "' is there twice";
    return std::nullopt;
}

/// Takes the next label's value off a series' key.
std::string_view take_label(std::string_view& key) {
    const auto size = static_cast<unsigned char>(key.front());
    const std::string_view value = key.substr(1, size);
    key.remove_prefix(1 + size);
    return value;
}

}  // namespace

std::optional<std::string> MetricShape::problem() const {
    if (!is_name(name))
        return "'" + name + "' is no metric's name: letters, digits and '_', not a digit first";
    for (const std::string_view each : kReserved)
        if (name.starts_with(each))
            return "names with " + std::string(each) + " are the broker's own";
    for (const std::string_view each : kSuffixes)
        if (name.ends_with(each)) return "a name must not end in " + std::string(each);
    if (kind == plugin::MetricKind::counter && !name.ends_with(kTotal))
        return "a counter's name ends in _total";
    if (kind != plugin::MetricKind::counter && name.ends_with(kTotal))
        return "only a counter's name ends in _total";
    if (help.empty() || valid_utf8_prefix(help) != help.size()) return "the help must be a text";
    if (labels.size() > kMaxLabels) return "more than " + std::to_string(kMaxLabels) + " labels";
    for (const std::string& label : labels)
        if (auto problem = problem_of_label(*this, label)) return problem;
    if (kind != plugin::MetricKind::histogram) return std::nullopt;
    if (bounds.empty() || bounds.size() > kMaxBounds ||
        std::adjacent_find(bounds.begin(), bounds.end(), std::greater_equal<>()) != bounds.end())
        return "the buckets are 1 to " + std::to_string(kMaxBounds) + " numbers that grow";
    return std::nullopt;
}

std::string MetricShape::family() const {
    return name.substr(0, name.size() - (name.ends_with(kTotal) ? kTotal.size() : 0));
}

std::optional<std::string> MetricShape::conflict(const MetricShape& other) const {
    if (kind != other.kind) return "is " + kind_of(*this) + ", not " + kind_of(other);
    if (labels != other.labels)
        return "has the labels " + list_of(labels) + ", not " + list_of(other.labels);
    if (bounds != other.bounds) return "has other buckets";
    return std::nullopt;
}

void Metric::append_label(std::string& key, std::string_view value) {
    // Each value is behind its length, so that no two combinations have the same key.
    const std::size_t at = key.size();
    key += '\0';
    if (value.size() <= kMaxValueBytes && valid_utf8_prefix(value) == value.size()) {
        key += value;
    } else {
        while (!value.empty() && key.size() - at - 1 < kMaxValueBytes) {
            const std::size_t room = kMaxValueBytes - (key.size() - at - 1);
            const std::size_t valid = valid_utf8_prefix(value.substr(0, room));
            key += value.substr(0, valid);
            value.remove_prefix(valid);
            if (valid == room || value.empty()) break;
            if (utf8_sequence(value) > 0) break;  // it has no room
            key += '?';
            value.remove_prefix(1);
        }
    }
    key[at] = static_cast<char>(key.size() - at - 1);
}

void Metric::observe(std::string_view key, double value) {
    Series& series = find(key);
    const auto bucket = static_cast<std::size_t>(
        std::lower_bound(shape_.bounds.begin(), shape_.bounds.end(), value) -
        shape_.bounds.begin());
    series.counts[bucket].add();
    series.value.store(series.value.load(std::memory_order_relaxed) + value,
                       std::memory_order_relaxed);
}

Metric::Series& Metric::find(std::string_view key) {
    // Only this thread changes the table, so it need not be locked to look.
    if (const auto found = series_.find(key); found != series_.end()) return *found->second;
    if (series_.size() < max_series_) return make(std::string(key));
    if (!std::exchange(told_, true))
        log::warn("a metric has too many series, further ones are \"other\"",
                  {{"metric", shape_.name}, {"namespace", nsp_}, {"limit", max_series_}});
    std::string other;
    for (std::size_t i = 0; i < shape_.labels.size(); ++i) append_label(other, kOther);
    if (const auto found = series_.find(other); found != series_.end()) return *found->second;
    return make(std::move(other));
}

Metric::Series& Metric::make(std::string key) {
    auto series = std::make_unique<Series>();
    if (shape_.kind == plugin::MetricKind::histogram)
        series->counts = std::vector<Counter>(shape_.bounds.size() + 1);
    std::lock_guard lock(mutex_);
    return *series_.emplace(std::move(key), std::move(series)).first->second;
}

void Metric::append(std::vector<plugin::MetricSample>& samples) const {
    std::lock_guard lock(mutex_);
    for (const auto& [key, series] : series_) {
        plugin::MetricSample sample;
        sample.labels = {nsp_};
        std::string_view rest = key;
        while (!rest.empty()) sample.labels.emplace_back(take_label(rest));
        sample.value = series->value.load(std::memory_order_relaxed);
        for (const Counter& each : series->counts) sample.counts.push_back(each.get());
        samples.push_back(std::move(sample));
    }
}

}  // namespace moonwire::script
