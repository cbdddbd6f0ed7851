// A pattern up to the first line end, the subject after it: matching ends, stays within the
// subject, and finds fault only with what the syntax check finds fault with.
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include "core/script/pattern.hpp"

using moonwire::script::MatchBudget;
using moonwire::script::PatternMatch;

extern "C" int LLVMFuzzerTestOneInput(const unsigned char* data, std::size_t size) {
    const std::string_view all(reinterpret_cast<const char*>(data), size);
    const std::size_t line = all.find('\n');
    // Copies, so that reading past either is seen.
    const std::string pattern(all.substr(0, line));
    const std::string subject(line == all.npos ? "" : all.substr(line + 1));

    MatchBudget budget{100'000};
    const bool malformed = PatternMatch(subject, pattern, budget).syntax_problem() != nullptr;
    PatternMatch match(subject, pattern, budget);
    const char* const end = subject.data() + subject.size();
    for (const char* at = subject.data(); at <= end; ++at) {
        const char* matched = match.match(at);
        if (matched && (matched < at || matched > end)) std::abort();
        for (int i = 0; matched && i < match.captures(); ++i) {
            const PatternMatch::Capture& capture = match.capture(i);
            if (capture.begin < subject.data() || capture.begin > end ||
                (capture.length > 0 && capture.begin + capture.length > end))
                std::abort();
        }
        if (!match.problem()) continue;
        const bool gave_up =
            match.exhausted() || std::string_view(match.problem()) == "pattern too complex";
        if (!malformed && !gave_up) std::abort();
        break;
    }
    return 0;
}
