#pragma once

#include <chrono>
#include <cstddef>

#include "core/plugin/api/store.hpp"

namespace moonwire::script {

/// What `ns.store` is made of, and what bounds it beside the store's own limits.
struct StoreOptions {
    plugin::Store* store = nullptr;  // outlives the host; null: there is none
    bool durable = true;             // of calls that don't say
    std::size_t max_value_bytes = 1u << 20;
    std::size_t stream_items = 100'000;                 // of a stream; the oldest go
    std::size_t queue_items = 1000;                     // of a recipient; more are refused
    std::chrono::seconds queue_time{7 * 24 * 60 * 60};  // then they expire
    std::size_t waiting = 10'000;  // writes of a namespace that wait for its transactions
};

}  // namespace moonwire::script
