#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

namespace bench {

/// What a server's processes have used so far, from /proc.
struct ServerUsage {
    struct Thread {
        std::string name;
        double cpu_seconds = 0;
    };
    std::map<int, Thread> threads;  // by thread id, of those that are alive
    std::uint64_t resident_kb = 0;

    static ServerUsage of(const std::vector<int>& pids);
    /// CPU seconds of each thread since `before`, the busiest first.
    std::vector<Thread> since(const ServerUsage& before) const;
};

}  // namespace bench
