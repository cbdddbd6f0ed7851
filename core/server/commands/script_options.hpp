#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "core/server/apps.hpp"

namespace CLI {
class App;
}

namespace moonwire::server {

/// What every command that loads scripts is told: the folder, and settings that override every
/// other source.
struct ScriptOptions {
    std::filesystem::path dir = "scripts";
    std::vector<std::string> set;  // "KEY=VALUE"

    /// The argument DIR and `--set`.
    void add_to(CLI::App& command);
    /// `more` wins over `--set`.
    Result<Configuration> configure(Overrides more = {}) const;
    /// With everything that is wrong at once, as server::configure has it.
    Configuration configure_all(std::vector<Error>& errors) const;

private:
    Result<Overrides> overrides() const;
};

/// Says on stderr why a command failed; returns the exit code 1.
int fail(const Error& error);

}  // namespace moonwire::server
