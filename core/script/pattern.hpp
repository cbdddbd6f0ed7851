#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>

struct lua_State;

namespace moonwire::script {

/// How much work one call may spend on matching. Lua's patterns backtrack: unbounded, a short one
/// holds a reactor for hours, and no hook fires inside of C. `poll`, when set, is asked now and
/// then whether the watchdog has armed its hook.
struct MatchBudget {
    std::int64_t steps;
    lua_State* poll = nullptr;
};

/// Lua 5.1's patterns, with LuaJIT's %g, over any bytes; a zero byte is a byte. Gives the results
/// of string.find, within a budget. Subject and pattern must outlive it. Any thread.
class PatternMatch {
public:
    static constexpr int kMaxCaptures = 32;

    struct Capture {
        const char* begin;
        std::ptrdiff_t length;  // or one of these two
    };
    static constexpr std::ptrdiff_t kUnfinished = -1, kPosition = -2;

    /// `pattern` is without its anchor: a match is tried only where the caller says.
    PatternMatch(std::string_view subject, std::string_view pattern, MatchBudget& budget)
        : subject_(subject), pattern_(pattern), budget_(budget) {}

    /// The end of the match that starts at `start`, or null. Null and a `problem` when the pattern
    /// is malformed or the budget is spent.
    const char* match(const char* start);
    /// Why the pattern is malformed, whatever the subject; null if it is not. Without its anchor.
    const char* syntax_problem();
    /// What is wrong, in Lua's words; null if nothing is.
    const char* problem() const noexcept { return problem_; }
    /// Whether that problem is the budget, not the pattern.
    bool exhausted() const noexcept { return exhausted_; }

    int captures() const noexcept { return level_; }
    const Capture& capture(int i) const noexcept { return captures_[static_cast<std::size_t>(i)]; }

private:
    const char* step(const char* at, const char* pattern);
    const char* class_end(const char* pattern);
    bool matches_one(char c, const char* pattern, const char* end) const;
    const char* greedy(const char* at, const char* pattern, const char* end);
    const char* lazy(const char* at, const char* pattern, const char* end);
    const char* balanced(const char* at, const char* pattern);
    const char* back_reference(const char* at, char digit);
    const char* open_capture(const char* at, const char* pattern, std::ptrdiff_t length);
    const char* close_capture(const char* at, const char* pattern);
    const char* fail(const char* problem) {
        problem_ = problem;
        return nullptr;
    }
    bool spend(std::int64_t steps);

    std::string_view subject_, pattern_;
    MatchBudget& budget_;
    const char* problem_ = nullptr;
    bool exhausted_ = false;
    int depth_ = 0;
    int level_ = 0;
    std::int64_t slice_ = 0;
    std::array<Capture, kMaxCaptures> captures_;
};

}  // namespace moonwire::script
