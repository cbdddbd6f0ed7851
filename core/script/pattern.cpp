#include "core/script/pattern.hpp"

#include <cctype>
#include <cstring>
#include <lua.hpp>

namespace moonwire::script {
namespace {

constexpr int kMaxDepth = 200;             // of our own recursion; LuaJIT's limit too
constexpr std::int64_t kSlice = 16 << 10;  // steps between two looks at the watchdog

constexpr const char* kEndsWithPercent = "malformed pattern (ends with '%')";
constexpr const char* kMissingBracket = "malformed pattern (missing ']')";
constexpr const char* kMissingSet = "missing '[' after '%f' in pattern";
constexpr const char* kBadCapture = "invalid pattern capture";
constexpr const char* kBadCaptureIndex = "invalid capture index";
constexpr const char* kTooManyCaptures = "too many captures";
constexpr const char* kUnbalanced = "unbalanced pattern";
constexpr const char* kTooComplex = "pattern too complex";
constexpr const char* kTooLong = "pattern takes too long to match";

/// The "C" locale's classes, whatever the process's locale is.
bool in_class(unsigned char c, char letter) {
    const auto lower = static_cast<char>(std::tolower(static_cast<unsigned char>(letter)));
    const bool upper_case = c >= 'A' && c <= 'Z', lower_case = c >= 'a' && c <= 'z';
    const bool alpha = upper_case || lower_case, digit = c >= '0' && c <= '9';
    const bool graph = c > 0x20 && c < 0x7f;
    bool in = false;
    switch (lower) {
        case 'a': in = alpha; break;
        case 'c': in = c < 0x20 || c == 0x7f; break;
        case 'd': in = digit; break;
        case 'g': in = graph; break;
        case 'l': in = lower_case; break;
        case 'p': in = graph && !alpha && !digit; break;
        case 's': in = c == ' ' || (c >= '\t' && c <= '\r'); break;
        case 'u': in = upper_case; break;
        case 'w': in = alpha || digit; break;
        case 'x': in = digit || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F'); break;
        case 'z': in = c == 0; break;
        default: return letter == static_cast<char>(c);
    }
    return letter == lower ? in : !in;
}

/// `set` is at '[', `end` at its ']'.
bool in_set(unsigned char c, const char* set, const char* end) {
    bool negated = false;
    if (set[1] == '^') {
        negated = true;
        ++set;
    }
    while (++set < end) {
        if (*set == '%') {
            ++set;
            if (in_class(c, *set)) return !negated;
        } else if (set + 2 < end && set[1] == '-') {
            if (static_cast<unsigned char>(set[0]) <= c && c <= static_cast<unsigned char>(set[2]))
                return !negated;
            set += 2;
        } else if (static_cast<unsigned char>(*set) == c) {
            return !negated;
        }
    }
    return negated;
}

}  // namespace

const char* PatternMatch::match(const char* start) {
    level_ = 0;
    depth_ = 0;
    return step(start, pattern_.data());
}

const char* PatternMatch::syntax_problem() {
    const char* at = pattern_.data();
    const char* const end = at + pattern_.size();
    std::array<bool, kMaxCaptures> open{};
    int level = 0;
    while (at != end) {
        const char kind = *at == '%' && at + 1 != end ? at[1] : '\0';
        if (*at == '(') {
            if (level == kMaxCaptures) return kTooManyCaptures;
            open[static_cast<std::size_t>(level++)] = true;
            ++at;
        } else if (*at == ')') {
            int last = level - 1;
            while (last >= 0 && !open[static_cast<std::size_t>(last)]) --last;
            if (last < 0) return kBadCapture;
            open[static_cast<std::size_t>(last)] = false;
            ++at;
        } else if (kind == 'b') {
            if (end - at < 4) return kUnbalanced;
            at += 4;
        } else if (kind >= '0' && kind <= '9') {
            const int index = kind - '1';
            if (index < 0 || index >= level || open[static_cast<std::size_t>(index)])
                return kBadCaptureIndex;
            at += 2;
        } else {
            if (kind == 'f' && (at += 2, at == end || *at != '[')) return kMissingSet;
            at = class_end(at);
            if (!at) return problem_;
        }
    }
    for (const bool unfinished : open)
        if (unfinished) return "unfinished capture";
    return nullptr;
}

bool PatternMatch::spend(std::int64_t steps) {
    if (problem_) return false;
    slice_ -= steps;
    if (slice_ >= 0) return true;
    const std::int64_t wanted = kSlice - slice_;
    if (budget_.steps < wanted || (budget_.poll && lua_gethookmask(budget_.poll) != 0)) {
        exhausted_ = true;
        problem_ = kTooLong;
        return false;
    }
    budget_.steps -= wanted;
    slice_ = kSlice;
    return true;
}

const char* PatternMatch::class_end(const char* pattern) {
    const char* const end = pattern_.data() + pattern_.size();
    const char c = *pattern++;
    if (c == '%') return pattern == end ? fail(kEndsWithPercent) : pattern + 1;
    if (c != '[') return pattern;
    if (pattern != end && *pattern == '^') ++pattern;
    do {  // a ']' in first place stands for itself
        if (pattern == end) return fail(kMissingBracket);
        if (*pattern++ == '%') {
            if (pattern == end) return fail(kMissingBracket);
            ++pattern;
        }
    } while (pattern == end || *pattern != ']');
    return pattern + 1;
}

bool PatternMatch::matches_one(char c, const char* pattern, const char* end) const {
    switch (*pattern) {
        case '.': return true;
        case '%': return in_class(static_cast<unsigned char>(c), pattern[1]);
        case '[': return in_set(static_cast<unsigned char>(c), pattern, end - 1);
        default: return *pattern == c;
    }
}

const char* PatternMatch::step(const char* at, const char* pattern) {
    const char* const subject_end = subject_.data() + subject_.size();
    const char* const pattern_end = pattern_.data() + pattern_.size();
    if (++depth_ > kMaxDepth) return fail(kTooComplex);
    struct Leave {
        int& depth;
        ~Leave() { --depth; }
    } leave{depth_};

    while (pattern != pattern_end) {
        if (!spend(1)) return nullptr;
        switch (*pattern) {
            case '(':
                if (pattern + 1 != pattern_end && pattern[1] == ')')
                    return open_capture(at, pattern + 2, kPosition);
                return open_capture(at, pattern + 1, kUnfinished);
            case ')': return close_capture(at, pattern + 1);
            case '$':
                if (pattern + 1 == pattern_end) return at == subject_end ? at : nullptr;
                break;
            case '%': {
                const char kind = pattern + 1 == pattern_end ? '\0' : pattern[1];
                if (kind == 'b') {
                    at = balanced(at, pattern + 2);
                    if (!at) return nullptr;
                    pattern += 4;
                    continue;
                }
                if (kind == 'f') {
                    pattern += 2;
                    if (pattern == pattern_end || *pattern != '[') return fail(kMissingSet);
                    const char* end = class_end(pattern);
                    if (!end || !spend(end - pattern)) return nullptr;
                    const char before = at == subject_.data() ? '\0' : at[-1];
                    const char here = at == subject_end ? '\0' : *at;
                    if (in_set(static_cast<unsigned char>(before), pattern, end - 1) ||
                        !in_set(static_cast<unsigned char>(here), pattern, end - 1))
                        return nullptr;
                    pattern = end;
                    continue;
                }
                if (kind >= '0' && kind <= '9') {
                    at = back_reference(at, kind);
                    if (!at) return nullptr;
                    pattern += 2;
                    continue;
                }
                break;
            }
            default: break;
        }

        const char* end = class_end(pattern);
        if (!end || !spend(end - pattern)) return nullptr;
        const bool one = at != subject_end && matches_one(*at, pattern, end);
        switch (end == pattern_end ? '\0' : *end) {
            case '?':
                if (one) {
                    if (const char* rest = step(at + 1, end + 1)) return rest;
                    if (problem_) return nullptr;
                }
                pattern = end + 1;
                continue;
            case '*': return greedy(at, pattern, end);
            case '+': return one ? greedy(at + 1, pattern, end) : nullptr;
            case '-': return lazy(at, pattern, end);
            default:
                if (!one) return nullptr;
                ++at;
                pattern = end;
        }
    }
    return at;
}

const char* PatternMatch::greedy(const char* at, const char* pattern, const char* end) {
    const char* const subject_end = subject_.data() + subject_.size();
    const char* last = at;
    while (last != subject_end && matches_one(*last, pattern, end)) {
        if (!spend(end - pattern)) return nullptr;
        ++last;
    }
    for (;; --last) {
        if (const char* rest = step(last, end + 1)) return rest;
        if (problem_ || last == at) return nullptr;
    }
}

const char* PatternMatch::lazy(const char* at, const char* pattern, const char* end) {
    const char* const subject_end = subject_.data() + subject_.size();
    for (;; ++at) {
        if (const char* rest = step(at, end + 1)) return rest;
        if (!spend(end - pattern) || at == subject_end || !matches_one(*at, pattern, end))
            return nullptr;
    }
}

const char* PatternMatch::balanced(const char* at, const char* pattern) {
    const char* const subject_end = subject_.data() + subject_.size();
    if (pattern_.data() + pattern_.size() - pattern < 2) return fail(kUnbalanced);
    const char open = pattern[0], close = pattern[1];
    if (at == subject_end || *at != open) return nullptr;
    int nesting = 1;
    while (++at != subject_end) {
        if (!spend(1)) return nullptr;
        if (*at == close) {
            if (--nesting == 0) return at + 1;
        } else if (*at == open) {
            ++nesting;
        }
    }
    return nullptr;
}

const char* PatternMatch::back_reference(const char* at, char digit) {
    const int index = digit - '1';
    if (index < 0 || index >= level_ || capture(index).length == kUnfinished)
        return fail(kBadCaptureIndex);
    const Capture& earlier = capture(index);
    // A position has no text: Lua reads its length as one that no subject has.
    if (earlier.length < 0) return nullptr;
    const char* const subject_end = subject_.data() + subject_.size();
    if (!spend(1 + earlier.length / 8) || subject_end - at < earlier.length ||
        std::memcmp(earlier.begin, at, static_cast<std::size_t>(earlier.length)) != 0)
        return nullptr;
    return at + earlier.length;
}

const char* PatternMatch::open_capture(const char* at, const char* pattern, std::ptrdiff_t length) {
    if (level_ == kMaxCaptures) return fail(kTooManyCaptures);
    captures_[static_cast<std::size_t>(level_++)] = {at, length};
    const char* rest = step(at, pattern);
    if (!rest) --level_;
    return rest;
}

const char* PatternMatch::close_capture(const char* at, const char* pattern) {
    int open = level_ - 1;
    while (open >= 0 && capture(open).length != kUnfinished) --open;
    if (open < 0) return fail(kBadCapture);
    Capture& closing = captures_[static_cast<std::size_t>(open)];
    closing.length = at - closing.begin;
    const char* rest = step(at, pattern);
    if (!rest) closing.length = kUnfinished;
    return rest;
}

}  // namespace moonwire::script
