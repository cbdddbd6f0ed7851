#include "core/script/store_gate.hpp"

#include <utility>

namespace moonwire::script {

bool StoreGate::enter(bool alone, Task go) {
    if (line_.empty() && may_enter(alone)) {
        ++inside_;
        alone_ = alone;
        go();
        return true;
    }
    if (line_.size() >= max_waiting_) return false;
    line_.push_back({alone, std::move(go)});
    return true;
}

void StoreGate::leave() {
    --inside_;
    if (inside_ == 0) alone_ = false;
    if (line_.empty()) return;
    // Never at once: a long line would run down the C stack.
    home_.post([weak = weak_from_this()] {
        if (const auto self = weak.lock()) self->admit();
    });
}

void StoreGate::admit() {
    while (!line_.empty() && may_enter(line_.front().alone)) {
        Waiting next = std::move(line_.front());
        line_.pop_front();
        ++inside_;
        alone_ = next.alone;
        next.go();
    }
}

}  // namespace moonwire::script
