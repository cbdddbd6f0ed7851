#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <functional>
#include <mutex>
#include <string>

#include "core/plugin/api/values.hpp"

namespace moonwire::upstream {

/// An event on its way to a script.
struct Arrival {
    std::string event;
    plugin::Values arguments;
    std::function<void(plugin::Values)> acknowledge = {};  // null: not asked for
};

/// The events that a server sent, on their way to scripts: so many are handled at once, more wait
/// in order, and beyond a number and bytes further ones are refused. Any thread.
class Inbox {
public:
    struct Limits {
        std::size_t at_once = 1'000;
        std::size_t waiting = 10'000, waiting_bytes = 16u << 20;
    };
    /// `begin` is called with one after the other, in order; `handled` follows for each, from
    /// within it or later.
    Inbox(Limits limits, std::function<void(Arrival)> begin)
        : limits_(limits), begin_(std::move(begin)) {}

    /// False if there is no room: then it is still the caller's.
    bool push(Arrival& arrival);
    void handled();
    std::uint64_t refused() const;

private:
    void pump();

    const Limits limits_;
    const std::function<void(Arrival)> begin_;
    mutable std::mutex mutex_;
    std::deque<Arrival> waiting_;
    std::size_t bytes_ = 0;  // of them
    std::size_t under_way_ = 0;
    bool pumping_ = false;
    std::uint64_t refused_ = 0;
};

}  // namespace moonwire::upstream
