#pragma once

#include <cstdint>
#include <memory>
#include <optional>

#include "core/script/generation.hpp"

namespace moonwire::script {

/// A generation whose files were run, or what stopped them.
struct Loaded {
    std::shared_ptr<Generation> generation;
    std::optional<LoadError> error;
};

/// Runs a namespace's files, in path order, in a fresh environment of this Lua state. What they
/// register waits in the generation; nothing is started. A scratch state's generation must be
/// retired before the state goes.
Loaded load_generation(Runtime& runtime, std::uint64_t number, const NamespaceSources& sources);

}  // namespace moonwire::script
