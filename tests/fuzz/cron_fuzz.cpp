// An expression that is accepted names times: each after the one before, on a whole minute.
#include <cstdint>
#include <cstdlib>
#include <string>

#include "core/script/cron.hpp"

extern "C" int LLVMFuzzerTestOneInput(const unsigned char* data, std::size_t size) {
    // A copy, so that reading past it is seen.
    const std::string text(reinterpret_cast<const char*>(data), size);
    const auto times = moonwire::script::CronTimes::parse(text);
    if (!times) {
        if (times.error().message.empty()) std::abort();
        return 0;
    }
    for (const std::int64_t start : {-1LL, 951'782'399LL, 4'107'542'399LL}) {  // before leap days
        std::int64_t at = start;
        for (int i = 0; i < 20; ++i) {
            const std::int64_t next = times->next(at);
            if (next <= at || next % 60 != 0) std::abort();
            // Nothing was skipped.
            if (times->next(next - 1) != next) std::abort();
            at = next;
        }
    }
    return 0;
}
