#include "core/server/commands/script_options.hpp"

#include <CLI/CLI.hpp>
#include <iostream>

namespace moonwire::server {

void ScriptOptions::add_to(CLI::App& command) {
    command.add_option("DIR", dir, "The scripts folder")->capture_default_str();
    command.add_option("--set", set, "A setting, as in --set log.level=debug")
        ->type_name("KEY=VALUE");
}

Result<Overrides> ScriptOptions::overrides() const {
    Overrides overrides;
    for (const std::string& pair : set) {
        const std::size_t equals = pair.find('=');
        if (equals == std::string::npos || equals == 0)
            return Error{"--set takes KEY=VALUE, got \"" + pair + "\""};
        overrides.emplace_back(pair.substr(0, equals), pair.substr(equals + 1));
    }
    return overrides;
}

Result<Configuration> ScriptOptions::configure(Overrides more) const {
    auto overrides = this->overrides();
    if (!overrides) return overrides.error();
    for (auto& each : more) overrides->push_back(std::move(each));
    return server::configure(dir, *overrides);
}

Configuration ScriptOptions::configure_all(std::vector<Error>& errors) const {
    auto overrides = this->overrides();
    if (!overrides) errors.push_back(overrides.error());
    return server::configure(dir, overrides ? *overrides : Overrides{}, errors);
}

int fail(const Error& error) {
    std::cerr << "moonwire: " << error.message << '\n';
    return 1;
}

}  // namespace moonwire::server
