#pragma once

#include <map>
#include <set>
#include <string>

#include "core/script/generation.hpp"

namespace moonwire::script {

/// Every name that the API gives to scripts, as the sandbox really has them.
struct ApiNames {
    enum class Sort { function, value };
    /// By type, the members: of objects ("socket", as in lint_facts.hpp), of the tables among the
    /// globals ("log") and of modules ("schema").
    std::map<std::string, std::map<std::string, Sort, std::less<>>, std::less<>> members;
    std::set<std::string, std::less<>> globals;
    std::set<std::string, std::less<>> modules;  // what `require` finds without a file
};

/// Looks into a fresh environment, and at what plugins offer. Any thread; makes a Lua state of its
/// own.
ApiNames read_api_names(std::shared_ptr<const Extensions> extensions = nullptr);

/// The globals of a generation that was loaded, the API's included. Raises nothing.
std::set<std::string, std::less<>> read_globals(Runtime& runtime, const Generation& generation);

}  // namespace moonwire::script
