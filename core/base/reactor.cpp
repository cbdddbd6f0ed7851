#include "core/base/reactor.hpp"

#include <algorithm>

namespace moonwire {
namespace {

thread_local LateWakes* current_wakes = nullptr;

}  // namespace

LateWakes::LateWakes() : outer_(current_wakes) { current_wakes = this; }

LateWakes::~LateWakes() {
    current_wakes = outer_;
    for (Reactor* reactor : sleepers_) reactor->wake();
}

bool LateWakes::take(Reactor& reactor) {
    if (!current_wakes) return false;
    auto& sleepers = current_wakes->sleepers_;
    if (std::find(sleepers.begin(), sleepers.end(), &reactor) == sleepers.end())
        sleepers.push_back(&reactor);
    return true;
}

}  // namespace moonwire
