#include "core/script/event_table.hpp"

namespace moonwire::script {
namespace {

EventReport report_of(std::string event, const EventFigures& figures) {
    return {std::move(event), figures.received.get(), figures.failed.get(), figures.ran.snapshot(),
            figures.answered.snapshot()};
}

}  // namespace

EventFigures& EventTable::of(std::string_view event) {
    std::lock_guard lock(mutex_);
    if (const auto found = named_.find(event); found != named_.end()) return *found->second;
    // What a peer may send under this name is "other" already.
    if (named_.size() >= limit_ || event == kOther) return other_;
    return *named_.emplace(event, std::make_unique<EventFigures>()).first->second;
}

std::vector<EventReport> EventTable::report() const {
    std::lock_guard lock(mutex_);
    std::vector<EventReport> all;
    for (const auto& [event, figures] : named_) all.push_back(report_of(event, *figures));
    all.push_back(report_of(kOther, other_));
    return all;
}

}  // namespace moonwire::script
