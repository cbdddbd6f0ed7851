#include "core/base/reactor.hpp"

#include <algorithm>

namespace moonwire {
namespace {

thread_local LateWakes* current_wakes = nullptr;

}  // namespace

LateWakes::LateWakes() : outer_(current_wakes) { current_wakes = this; }

LateWakes::~LateWakes() {
    current_wakes = outer_;
    for (std::size_t i = 0; i < count_; ++i) sleepers_[i]->wake();
}

bool LateWakes::take(Reactor& reactor) {
    if (!current_wakes) return false;
    LateWakes& wakes = *current_wakes;
    const auto begin = wakes.sleepers_.begin(), end = begin + wakes.count_;
    if (std::find(begin, end, &reactor) != end) return true;
    if (wakes.count_ == wakes.sleepers_.size()) return false;
    wakes.sleepers_[wakes.count_++] = &reactor;
    return true;
}

}  // namespace moonwire
