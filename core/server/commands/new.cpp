// `moonwire new`: a new app to start from.

#include <CLI/CLI.hpp>
#include <iostream>
#include <memory>

#include "core/server/commands/commands.hpp"
#include "core/server/commands/script_options.hpp"
#include "core/server/new_app.hpp"

namespace moonwire::server {
namespace {

struct NewOptions {
    std::string name;
    std::filesystem::path dir = "scripts";
};

int make_new(const NewOptions& options) {
    const auto made = make_app(options.dir, options.name);
    if (!made) return fail(made.error());
    for (const std::filesystem::path& path : *made) std::cout << path.string() << '\n';
    const std::string app = (options.dir / options.name).string();
    std::cout << "\nmoonwire check --strict " << app << "\nmoonwire test " << app
              << "\nmoonwire run " << app << '\n';
    return 0;
}

}  // namespace

void add_new_command(CLI::App& cli, int& exit_code) {
    CLI::App* command =
        cli.add_subcommand("new", "Make an app: a handler, its test, settings for editors");
    auto options = std::make_shared<NewOptions>();
    command->add_option("NAME", options->name, "The app's name, and its namespace's")->required();
    command->add_option("--dir", options->dir, "The scripts folder")->capture_default_str();
    command->callback([options, &exit_code] { exit_code = make_new(*options); });
}

}  // namespace moonwire::server
