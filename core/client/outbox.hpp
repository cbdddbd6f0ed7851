#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>

#include "core/client/session.hpp"

namespace moonwire::client {

struct LinkCall;

/// An event that waits to be sent.
struct OutboxEntry {
    OutgoingEvent event;
    std::shared_ptr<LinkCall> call;  // whoever waits for the acknowledgement; null: nobody
};

/// The events that wait for a connection, in order, at most so many and so many bytes. Any thread.
class Outbox {
public:
    struct Limits {
        std::size_t events = 10'000, bytes = 16u << 20;
        bool drop_oldest = false;  // at the limit: those go; false: the new one is refused
    };
    explicit Outbox(Limits limits) : limits_(limits) {}

    struct Pushed {
        std::optional<std::uint64_t> number;  // of the entry; none: it was refused
        std::vector<OutboxEntry> dropped;     // for it
    };
    /// An event that is larger than the limit is always refused.
    Pushed push(OutboxEntry entry);
    std::optional<OutboxEntry> pop();
    /// Takes one out; none if it has left.
    std::optional<OutboxEntry> take(std::uint64_t number);
    std::size_t size() const;

private:
    std::optional<OutboxEntry> take_locked(std::map<std::uint64_t, OutboxEntry>::iterator found);

    const Limits limits_;
    mutable std::mutex mutex_;
    std::map<std::uint64_t, OutboxEntry> entries_;  // by number, which grows
    std::uint64_t next_ = 0;
    std::size_t bytes_ = 0;
};

}  // namespace moonwire::client
