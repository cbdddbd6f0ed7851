// `moonwire check`: loads everything without serving, and says what is wrong.

#include <CLI/CLI.hpp>
#include <iostream>
#include <memory>

#include "core/base/log.hpp"
#include "core/script/host.hpp"
#include "core/server/commands/commands.hpp"
#include "core/server/commands/script_options.hpp"
#include "core/transport/tls_context.hpp"

namespace moonwire::server {
namespace {

int check(const ScriptOptions& scripts) {
    auto configuration = scripts.configure();
    if (!configuration) return fail(configuration.error());
    const transport::TlsOptions& tls = configuration->settings.transport.tls;
    if (tls.enabled())
        if (auto context = transport::TlsContext::load(tls); !context) return fail(context.error());
    log::configure(log::Level::warn, log::Format::text);
    script::HostOptions options;
    options.apps = configuration->apps;
    options.namespace_memory_bytes = configuration->settings.namespace_memory_bytes;
    const std::vector<script::LoadError> errors = script::check_scripts(options);
    for (const script::LoadError& error : errors) {
        std::cout << error.file;
        if (error.line > 0) std::cout << ':' << error.line;
        std::cout << ": " << error.message << '\n';
    }
    if (errors.empty()) std::cout << "ok: " << options.apps.size() << " app(s)\n";
    return errors.empty() ? 0 : 1;
}

}  // namespace

void add_check_command(CLI::App& cli, int& exit_code) {
    CLI::App* command =
        cli.add_subcommand("check", "Load everything without serving, and say what is wrong");
    auto scripts = std::make_shared<ScriptOptions>();
    scripts->add_to(*command);
    command->callback([scripts, &exit_code] { exit_code = check(*scripts); });
}

}  // namespace moonwire::server
