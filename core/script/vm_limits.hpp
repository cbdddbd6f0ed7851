#pragma once

#include <cstddef>
#include <memory>

#include "core/base/clock.hpp"

namespace moonwire::script {

struct Extensions;
class Watchdog;

/// What bounds one namespace's Lua code, and how it is run.
struct VmLimits {
    std::size_t memory_bytes = 256u << 20;  // of its Lua state
    std::size_t tasks = 100'000;            // coroutines at work or waiting; beyond: `busy`
    std::size_t timers = 100'000;           // beyond: an error in the script
    /// How long a handler may run without waiting, and a file at its load; zero: for ever.
    Duration handler = std::chrono::milliseconds(100);
    Duration load = std::chrono::seconds(2);
    /// Compiled loops can't be stopped: with the JIT on the two above don't hold.
    bool jit = false;
    bool check_emits = false;      // log what is sent and returned that is not as declared
    std::shared_ptr<Watchdog> watchdog = {};  // who stops what runs too long; null: nobody
    std::shared_ptr<const Extensions> extensions = {};  // what plugins offer; null: nothing
};

}  // namespace moonwire::script
