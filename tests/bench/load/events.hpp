#pragma once

#include <charconv>
#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>

#include "tests/bench/load/loop.hpp"

namespace bench {

/// Text of that length that compresses about as JSON of real events does, with nothing to escape.
inline std::string filler(std::size_t bytes) {
    static constexpr std::string_view words[] = {"vehicle", "route", "stop",  "boarding", "driver",
                                                 "depot",   "north", "delay", "capacity", "status"};
    std::string text;
    for (std::uint64_t seed = 1; text.size() < bytes; seed = seed * 6364136223846793005u + 1) {
        text += words[(seed >> 33) % std::size(words)];
        text += std::to_string((seed >> 40) % 1000);
        text += ' ';
    }
    text.resize(bytes);
    return text;
}

/// When the program began: what times in events count from, in nanoseconds.
inline TimePoint epoch() {
    static const TimePoint started = Clock::now();
    return started;
}

/// `"t":…` with which an event begins; `stamp_of` finds it.
inline std::string stamp(TimePoint due) {
    return "\"t\":" + std::to_string((due - epoch()).count());
}

/// The time that an event carries; the epoch's begin if it has none.
inline TimePoint stamp_of(std::string_view packet) {
    const auto at = packet.find("\"t\":");
    std::int64_t ns = 0;
    if (at != std::string_view::npos) {
        const char* from = packet.data() + at + 4;
        if (*from == ' ') ++from;
        std::from_chars(from, packet.data() + packet.size(), ns);
    }
    return epoch() + std::chrono::nanoseconds(ns);
}

}  // namespace bench
