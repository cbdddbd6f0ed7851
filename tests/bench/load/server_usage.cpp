#include "tests/bench/load/server_usage.hpp"

#include <algorithm>
#include <filesystem>
#include <fstream>

namespace bench {

ServerUsage ServerUsage::of(const std::vector<int>& pids) {
    ServerUsage usage;
    for (const int pid : pids) {
        const std::filesystem::path process = "/proc/" + std::to_string(pid);
        std::error_code gone;
        for (const auto& task : std::filesystem::directory_iterator(process / "task", gone)) {
            Thread thread;
            std::uint64_t ns = 0;
            std::ifstream(task.path() / "schedstat") >> ns;  // time on a processor
            std::getline(std::ifstream(task.path() / "comm"), thread.name);
            thread.cpu_seconds = static_cast<double>(ns) / 1e9;
            usage.threads.emplace(std::stoi(task.path().filename()), thread);
        }
        std::ifstream status(process / "status");
        for (std::string line; std::getline(status, line);)
            if (line.starts_with("VmRSS:")) usage.resident_kb += std::stoull(line.substr(6));
    }
    return usage;
}

std::vector<ServerUsage::Thread> ServerUsage::since(const ServerUsage& before) const {
    std::vector<Thread> spent;
    for (const auto& [id, thread] : threads) {
        const auto then = before.threads.find(id);
        const double seconds =
            thread.cpu_seconds - (then == before.threads.end() ? 0 : then->second.cpu_seconds);
        spent.push_back({thread.name, seconds});
    }
    std::sort(spent.begin(), spent.end(),
              [](const auto& a, const auto& b) { return a.cpu_seconds > b.cpu_seconds; });
    return spent;
}

}  // namespace bench
