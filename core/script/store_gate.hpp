#pragma once

#include <cstddef>
#include <deque>
#include <memory>

#include "core/base/reactor.hpp"

namespace moonwire::script {

/// Who of a namespace may write to its store: any number of single writes at once, or one
/// transaction alone; first come, first served. So a transaction sees nothing change under it.
///
/// Home reactor.
class StoreGate : public std::enable_shared_from_this<StoreGate> {
public:
    StoreGate(Reactor& home, std::size_t max_waiting) : home_(home), max_waiting_(max_waiting) {}

    /// Runs `go` inside: at once, or in a later turn. False if too many wait.
    bool enter(bool alone, Task go);
    /// Whoever has entered leaves.
    void leave();

private:
    bool may_enter(bool alone) const { return inside_ == 0 || (!alone && !alone_); }
    void admit();

    Reactor& home_;
    const std::size_t max_waiting_;
    std::size_t inside_ = 0;
    bool alone_ = false;  // the one inside wants to be
    struct Waiting {
        bool alone;
        Task go;
    };
    std::deque<Waiting> line_;
};

}  // namespace moonwire::script
