#include "tests/bench/load/crowd.hpp"
#include "tests/bench/load/scenario.hpp"
#include "tests/bench/load/window.hpp"

namespace bench {
namespace {

/// Connected before memory is first measured, so that what a server needs once is not counted.
constexpr std::size_t kFirst = 200;

void rest(Loop& loop, double seconds) {
    const TimePoint end = Clock::now() + std::chrono::duration_cast<Clock::duration>(Seconds(seconds));
    while (Clock::now() < end) loop.run_until(end);
}

}  // namespace

std::string run_idle(const Options& options, const Endpoint& endpoint) {
    Loop loop;
    Crowd crowd(loop, endpoint, options.polling);
    Window window(options);
    crowd.connect(kFirst);
    rest(loop, options.warmup_seconds);
    window.resident_before_kb = ServerUsage::of(options.pids).resident_kb;
    crowd.connect(options.clients);
    rest(loop, options.warmup_seconds);
    window.idle_connections = options.clients;
    window.begin();
    rest(loop, options.seconds);
    window.end();
    return window.report(crowd.size());
}

}  // namespace bench
