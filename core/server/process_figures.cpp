#include "core/server/process_figures.hpp"

#include <sys/resource.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <sstream>
#include <string>

namespace moonwire::server {
namespace {

/// The fields of /proc/self/stat from the third on: what is before them may hold blanks.
std::istringstream stat_fields() {
    std::ifstream file("/proc/self/stat");
    std::string line;
    std::getline(file, line);
    const std::size_t end = line.rfind(')');
    return std::istringstream(end == std::string::npos ? "" : line.substr(end + 1));
}

double boot_seconds() {
    std::ifstream file("/proc/stat");
    for (std::string word; file >> word;) {
        double seconds = 0;
        if (word == "btime" && file >> seconds) return seconds;
    }
    return 0;
}

std::uint64_t count_descriptors() {
    std::error_code error;
    std::uint64_t count = 0;
    for (std::filesystem::directory_iterator each("/proc/self/fd", error), end;
         !error && each != end; each.increment(error))
        ++count;
    return count > 0 ? count - 1 : 0;  // one of them is this look
}

}  // namespace

ProcessFigures process_figures() {
    ProcessFigures figures;
    const auto ticks = static_cast<double>(sysconf(_SC_CLK_TCK));
    std::string skipped;
    auto fields = stat_fields();
    double user = 0, system = 0, started = 0;
    std::uint64_t resident_pages = 0;
    for (int i = 3; i < 14; ++i) fields >> skipped;
    fields >> user >> system;  // 14 and 15, as proc(5) counts
    for (int i = 16; i < 20; ++i) fields >> skipped;
    fields >> figures.threads >> skipped >> started >> figures.virtual_bytes >> resident_pages;
    figures.resident_bytes = resident_pages * static_cast<std::uint64_t>(sysconf(_SC_PAGESIZE));
    figures.cpu_seconds = (user + system) / ticks;
    if (const double boot = boot_seconds(); boot > 0 && started > 0)
        figures.start_seconds = boot + started / ticks;
    figures.open_descriptors = count_descriptors();
    rlimit limit{};
    if (getrlimit(RLIMIT_NOFILE, &limit) == 0) figures.max_descriptors = limit.rlim_cur;
    return figures;
}

}  // namespace moonwire::server
