#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace moonwire::script {

/// How many letters were left out, added, replaced or swapped with their neighbour between the two
/// (optimal string alignment). Names of more than 64 bytes are far from all others.
std::size_t edit_distance(std::string_view a, std::string_view b);

/// "; did you mean 'x'?" for the name among `candidates` that `name` is likely a slip of; empty if
/// there is none.
template <typename Names>
std::string suggest(std::string_view name, const Names& candidates) {
    std::size_t best = name.size() < 4 ? 2 : 3;  // beyond what counts as a slip
    std::string_view nearest;
    for (const auto& each : candidates) {
        const std::string_view candidate = [&]() -> std::string_view {
            if constexpr (requires { each.first; }) return each.first;
            else return each;
        }();
        const std::size_t distance = edit_distance(name, candidate);
        if (distance >= best || distance >= candidate.size()) continue;
        best = distance;
        nearest = candidate;
    }
    return nearest.empty() ? "" : "; did you mean '" + std::string(nearest) + "'?";
}

/// Whether one event's name is likely a slip of the other's: not so if they differ in a digit, in
/// how words are divided, or by a beginning or an ending.
bool is_slip_of(std::string_view name, std::string_view other);

}  // namespace moonwire::script
