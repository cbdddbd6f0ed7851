#pragma once

#include <memory>
#include <utility>
#include <vector>

#include "core/base/latencies.hpp"
#include "core/base/reactor.hpp"

namespace moonwire::server {

/// How late each reactor comes to what is due: what a handler that runs long, or too much work,
/// costs everybody else there. A timer on each notes by how much it missed its time.
///
/// Owned by the broker; must outlive the reactors' threads.
class ReactorLag {
public:
    static constexpr std::chrono::milliseconds kInterval{100};

    explicit ReactorLag(std::vector<Reactor*> reactors) : reactors_(std::move(reactors)) {
        for (std::size_t i = 0; i < reactors_.size(); ++i)
            lags_.push_back(std::make_unique<Latencies>());
    }

    /// Any thread, once.
    void start() {
        for (std::size_t i = 0; i < reactors_.size(); ++i)
            reactors_[i]->post([this, i] { ask(i); });
    }

    std::size_t size() const noexcept { return lags_.size(); }
    /// By the reactor's index. Any thread.
    Latencies::Snapshot of(std::size_t reactor) const { return lags_[reactor]->snapshot(); }

private:
    void ask(std::size_t i) {
        const TimePoint due = Clock::now() + kInterval;
        reactors_[i]->after(kInterval, [this, i, due] {
            lags_[i]->add(Clock::now() - due);
            ask(i);
        });
    }

    const std::vector<Reactor*> reactors_;
    std::vector<std::unique_ptr<Latencies>> lags_;
};

}  // namespace moonwire::server
