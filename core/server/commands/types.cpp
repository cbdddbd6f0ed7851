// `moonwire types`: writes client types, or an AsyncAPI document, from what the scripts declare.

#include <CLI/CLI.hpp>
#include <algorithm>
#include <fstream>
#include <iostream>
#include <memory>

#include "core/base/log.hpp"
#include "core/script/types.hpp"
#include "core/server/commands/commands.hpp"
#include "core/server/commands/script_options.hpp"

namespace moonwire::server {
namespace {

struct TypesOptions {
    ScriptOptions scripts;
    std::string format, output, nsp;
};

std::string write(const std::vector<script::NamespaceContract>& namespaces,
                  const TypesOptions& options) {
    if (options.format == "typescript") return script::write_typescript(namespaces);
    if (options.format == "python") return script::write_python(namespaces);
    const bool yaml = options.output.ends_with(".yaml") || options.output.ends_with(".yml");
    return yaml ? script::write_asyncapi_yaml(namespaces) : script::write_asyncapi_json(namespaces);
}

/// Leaves the one that was asked for, if one was.
Result<void> select(std::vector<script::NamespaceContract>& namespaces, const std::string& name) {
    if (name.empty()) return {};
    std::string all;
    for (const auto& each : namespaces) all += (all.empty() ? "" : ", ") + each.name;
    std::erase_if(namespaces, [&](const auto& each) { return each.name != name; });
    if (!namespaces.empty()) return {};
    return Error{"no script serves namespace \"" + name + "\"; there are: " + all};
}

int types(const TypesOptions& options) {
    log::configure(log::Level::warn, log::Format::text);
    auto configuration = options.scripts.configure();
    if (!configuration) return fail(configuration.error());
    script::HostOptions host;
    host.apps = configuration->apps;
    host.limits = configuration->settings.script_limits;
    script::Contracts contracts = script::read_contracts(host);
    for (const script::LoadError& error : contracts.errors) {
        std::cerr << error.file;
        if (error.line > 0) std::cerr << ':' << error.line;
        std::cerr << ": " << error.message << '\n';
    }
    if (!contracts.errors.empty()) return 1;
    if (auto done = select(contracts.namespaces, options.nsp); !done) return fail(done.error());
    const std::string text = write(contracts.namespaces, options);
    if (options.output.empty()) {
        std::cout << text << std::flush;
        return std::cout ? 0 : 1;
    }
    std::ofstream file(options.output, std::ios::binary | std::ios::trunc);
    file << text << std::flush;
    return file ? 0 : fail(Error{"can't write " + options.output});
}

}  // namespace

void add_types_command(CLI::App& cli, int& exit_code) {
    CLI::App* command = cli.add_subcommand(
        "types", "Write client types, or an AsyncAPI 3 document, from the scripts' declarations");
    auto options = std::make_shared<TypesOptions>();
    options->scripts.add_to(*command);
    command->add_option("--format", options->format, "What to write")
        ->required()
        ->check(CLI::IsMember({"typescript", "python", "asyncapi"}));
    command->add_option("--output", options->output,
                        "The file (asyncapi in a .yaml is YAML); without it, standard output");
    command->add_option("--namespace", options->nsp, "Only this one");
    command->callback([options, &exit_code] { exit_code = types(*options); });
}

}  // namespace moonwire::server
