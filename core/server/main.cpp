// The command line: what each command does is in lua-api.md's terms; see README.md.

#include <CLI/CLI.hpp>

#include "core/server/commands/commands.hpp"

int main(int argc, char** argv) {
    using namespace moonwire::server;
    int exit_code = 0;
    CLI::App cli("Moonwire: a Socket.IO message broker scripted in Lua", "moonwire");
    cli.set_version_flag("--version", MOONWIRE_VERSION);
    cli.require_subcommand(1);
    add_run_command(cli, exit_code);
    add_check_command(cli, exit_code);
    add_ctl_command(cli, exit_code);
    add_emit_command(cli, exit_code);
    add_listen_command(cli, exit_code);
    add_new_command(cli, exit_code);
    add_test_command(cli, exit_code);
    add_types_command(cli, exit_code);
    CLI11_PARSE(cli, argc, argv);
    return exit_code;
}
