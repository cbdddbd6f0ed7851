#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <vector>

#include "core/script/generation.hpp"

namespace moonwire::script {

/// A generation whose files were run, or what stopped them.
struct Loaded {
    std::shared_ptr<Generation> generation;
    std::optional<LoadError> error;
};

/// A module that `require` finds without a file.
struct BuiltInModule {
    const char* name;
    void (*push)(lua_State* state);  // protected
};
std::span<const BuiltInModule> built_in_modules();

/// "file:line: message" of Lua's taken apart. `file` is where it happened if the message does not
/// say.
LoadError load_error(const NamespaceSources& sources, const std::string& file,
                     std::string message);

/// Runs a namespace's files, in path order, in a fresh environment of this Lua state. What they
/// register waits in the generation; nothing is started. A scratch state's generation must be
/// retired before the state goes. With `all_errors` a file with an error does not end it: the others
/// are run, too, and there is a generation all the same.
Loaded load_generation(Runtime& runtime, std::uint64_t number, const NamespaceSources& sources,
                       std::vector<LoadError>* all_errors = nullptr);

}  // namespace moonwire::script
