#include "core/client/outbox.hpp"

#include <utility>

namespace moonwire::client {
namespace {

constexpr std::size_t kEntryBytes = 100;  // beside what the event itself holds

std::size_t size_of(const OutboxEntry& entry) {
    std::size_t bytes = kEntryBytes + entry.event.json.size();
    for (const std::string& each : entry.event.attachments) bytes += each.size();
    return bytes;
}

}  // namespace

Outbox::Pushed Outbox::push(OutboxEntry entry) {
    const std::size_t bytes = size_of(entry);
    std::lock_guard lock(mutex_);
    const auto full = [&] {
        return entries_.size() >= limits_.events || bytes_ + bytes > limits_.bytes;
    };
    Pushed pushed;
    while (limits_.drop_oldest && !entries_.empty() && bytes <= limits_.bytes && full())
        pushed.dropped.push_back(*take_locked(entries_.begin()));
    if (full()) return pushed;
    bytes_ += bytes;
    pushed.number = next_++;
    entries_.emplace_hint(entries_.end(), *pushed.number, std::move(entry));
    return pushed;
}

std::optional<OutboxEntry> Outbox::pop() {
    std::lock_guard lock(mutex_);
    return take_locked(entries_.begin());
}

std::optional<OutboxEntry> Outbox::take(std::uint64_t number) {
    std::lock_guard lock(mutex_);
    return take_locked(entries_.find(number));
}

std::optional<OutboxEntry> Outbox::take_locked(
    std::map<std::uint64_t, OutboxEntry>::iterator found) {
    if (found == entries_.end()) return std::nullopt;
    OutboxEntry entry = std::move(found->second);
    bytes_ -= size_of(entry);
    entries_.erase(found);
    return entry;
}

std::size_t Outbox::size() const {
    std::lock_guard lock(mutex_);
    return entries_.size();
}

}  // namespace moonwire::client
