#pragma once

#include <cstdint>

namespace moonwire::server {

/// What the system says of this process; zero where it does not.
struct ProcessFigures {
    std::uint64_t resident_bytes = 0, virtual_bytes = 0;
    std::uint64_t threads = 0, open_descriptors = 0, max_descriptors = 0;
    double cpu_seconds = 0;    // of all threads, in the kernel, too
    double start_seconds = 0;  // since the epoch
};

/// Any thread; a few reads below /proc.
ProcessFigures process_figures();

}  // namespace moonwire::server
