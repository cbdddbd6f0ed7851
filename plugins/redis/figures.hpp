#pragma once

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "core/plugin/api/metrics.hpp"
#include "plugins/redis/wire.hpp"

namespace moonwire::redis {

/// Why a message went no further.
enum class Dropped : std::uint8_t {
    queue_full,   // too much waited to be published
    away,         // volatile, while the server was away
    unconfirmed,  // on its way when the connection broke
    refused,      // by the server
    too_large,    // in either direction
    invalid,      // from others: malformed, or what clients could not read
    backlog,      // from others: too much waited for this node's reactors
};
inline constexpr std::size_t kDropped = 7;

/// What happened so far. Any thread.
struct Figures {
    std::atomic<bool> publishing{false}, subscribed{false};
    std::atomic<std::uint64_t> published{0}, reconnections{0};
    std::array<std::atomic<std::uint64_t>, Received::kKinds> received{};
    std::array<std::atomic<std::uint64_t>, kDropped> dropped{};

    void drop(Dropped reason, std::uint64_t count = 1) {
        dropped[static_cast<std::size_t>(reason)] += count;
    }
};

/// The figures as the monitoring has them.
plugin::Metrics metrics_of(const Figures& figures, std::size_t queued);

}  // namespace moonwire::redis
