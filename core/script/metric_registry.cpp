#include "core/script/metric_registry.hpp"

#include <optional>
#include <utility>

namespace moonwire::script {

Result<std::shared_ptr<MetricLease>> MetricRegistry::declare(const std::string& nsp,
                                                             MetricShape shape) {
    std::lock_guard lock(mutex_);
    Owners& owners = metrics_[shape.family()];
    std::shared_ptr<MetricLease> own;
    for (const auto& [name, weak] : owners) {
        const auto lease = weak.lock();
        if (!lease) continue;
        const auto conflict = lease->metric->shape().conflict(shape);
        if (conflict && name == nsp)
            return Error{*conflict +
                         "; a metric keeps its kind, labels and buckets while the broker runs"};
        if (conflict) return Error{"in namespace " + name + " it " + *conflict};
        if (name == nsp) own = lease;
    }
    if (own) return own;
    std::erase_if(owners, [](const auto& each) { return each.second.expired(); });
    own = std::make_shared<MetricLease>();
    own->metric = std::make_shared<Metric>(std::move(shape), nsp, limits_.series);
    owners[nsp] = own;
    return own;
}

plugin::Metrics MetricRegistry::collect() const {
    plugin::Metrics all;
    std::lock_guard lock(mutex_);
    for (const auto& [unused, owners] : metrics_) {
        std::optional<plugin::MetricFamily> family;
        for (const auto& [nsp, weak] : owners) {
            const auto lease = weak.lock();
            if (!lease) continue;
            const MetricShape& shape = lease->metric->shape();
            if (!family) {
                family = {shape.name, shape.help, shape.kind, {"namespace"}, shape.bounds, {}};
                family->labels.insert(family->labels.end(), shape.labels.begin(),
                                      shape.labels.end());
            }
            lease->metric->append(family->samples);
        }
        if (family) all.push_back(*std::move(family));
    }
    return all;
}

}  // namespace moonwire::script
