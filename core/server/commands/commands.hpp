#pragma once

namespace CLI {
class App;
}

/// The command line: each function adds one subcommand, a file each. When the subcommand is parsed
/// it runs, on the main thread, and leaves the process's exit code.
namespace moonwire::server {

void add_run_command(CLI::App& cli, int& exit_code);
void add_check_command(CLI::App& cli, int& exit_code);
void add_ctl_command(CLI::App& cli, int& exit_code);
void add_emit_command(CLI::App& cli, int& exit_code);
void add_listen_command(CLI::App& cli, int& exit_code);
void add_new_command(CLI::App& cli, int& exit_code);
void add_test_command(CLI::App& cli, int& exit_code);
void add_types_command(CLI::App& cli, int& exit_code);

}  // namespace moonwire::server
