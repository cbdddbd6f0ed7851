#pragma once

#include <cstddef>

namespace moonwire::script {

/// What bounds the figures of each namespace.
struct FigureLimits {
    std::size_t series = 1000;  // of a script's metric; further ones are "other"
    std::size_t events = 200;   // that have figures of their own; the others' are "other"
};

}  // namespace moonwire::script
