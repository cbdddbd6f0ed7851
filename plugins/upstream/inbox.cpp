#include "plugins/upstream/inbox.hpp"

#include <utility>

namespace moonwire::upstream {
namespace {

std::size_t size_of(const Arrival& arrival) {
    std::size_t bytes = arrival.event.size() + arrival.arguments.json.size();
    for (const std::string& each : arrival.arguments.attachments) bytes += each.size();
    return bytes;
}

}  // namespace

bool Inbox::push(Arrival& arrival) {
    {
        std::lock_guard lock(mutex_);
        const std::size_t bytes = size_of(arrival);
        // One larger than all the room is let in when nothing else is there.
        if (waiting_.size() >= limits_.waiting ||
            (!waiting_.empty() && bytes_ + bytes > limits_.waiting_bytes)) {
            ++refused_;
            return false;
        }
        bytes_ += bytes;
        waiting_.push_back(std::move(arrival));
    }
    pump();
    return true;
}

void Inbox::handled() {
    {
        std::lock_guard lock(mutex_);
        --under_way_;
    }
    pump();
}

void Inbox::pump() {
    std::unique_lock lock(mutex_);
    // Whoever is at it goes on for all: they begin in order, and not inside one another.
    if (std::exchange(pumping_, true)) return;
    while (under_way_ < limits_.at_once && !waiting_.empty()) {
        Arrival next = std::move(waiting_.front());
        waiting_.pop_front();
        bytes_ -= size_of(next);
        ++under_way_;
        lock.unlock();
        begin_(std::move(next));
        lock.lock();
    }
    pumping_ = false;
}

std::uint64_t Inbox::refused() const {
    std::lock_guard lock(mutex_);
    return refused_;
}

}  // namespace moonwire::upstream
