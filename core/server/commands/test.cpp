// `moonwire test`: runs the apps' `*_test.lua` against their handlers, without a network or a clock.

#include <CLI/CLI.hpp>
#include <fstream>
#include <iostream>
#include <memory>

#include "core/base/log.hpp"
#include "core/script/test_runner.hpp"
#include "core/server/commands/commands.hpp"
#include "core/server/commands/script_options.hpp"

namespace moonwire::server {
namespace {

struct TestCommand {
    ScriptOptions scripts;
    std::string filter, junit;
    double seconds = 10;
    bool verbose = false;
};

std::string place(const std::string& file, int line) {
    return line > 0 ? file + ":" + std::to_string(line) : file;
}

void print_result(const script::TestResult& result, bool verbose) {
    const bool failed = result.status == script::TestStatus::failed;
    if (!failed && !verbose) return;
    std::cout << (failed                                              ? "FAILED "
                  : result.status == script::TestStatus::skipped ? "skipped "
                                                                      : "ok ")
              << result.name << " (" << place(result.file, result.line) << ")\n";
    if (!failed) return;
    std::string indented = "  " + result.failure;
    for (std::size_t at = 0; (at = indented.find('\n', at)) != std::string::npos; at += 3)
        indented.replace(at, 1, "\n  ");
    std::cout << indented << "\n\n";
}

int test(const TestCommand& command) {
    auto configuration = command.scripts.configure();
    if (!configuration) return fail(configuration.error());
    const Settings& settings = configuration->settings;
    log::configure(log::Level::warn, log::Format::text);

    if (auto started = configuration->plugins->start(); !started) return fail(started.error());
    script::TestOptions options;
    options.host.apps = configuration->apps_to_test();
    options.host.limits = settings.script_limits;
    options.host.store = settings.store;
    options.host.figures = settings.figures;
    options.make_store = [&] { return plugin::make_memory_store(settings.store_file); };
    options.host.limits.check_emits = true;
    for (const auto& [name, own] : settings.namespaces)
        options.host.namespaces[name].limits = own.limits(options.host.limits);
    options.server = settings.socketio;
    options.aliases.assign(settings.aliases.begin(), settings.aliases.end());
    options.filter = command.filter;
    options.test_time = std::chrono::milliseconds(static_cast<int>(command.seconds * 1000));
    const script::TestReport report = script::run_tests(
        options, [&](const script::TestResult& result) { print_result(result, command.verbose); });

    for (const script::LoadError& error : report.errors)
        std::cout << "FAILED " << place(error.file, error.line) << ": " << error.message << "\n\n";
    if (!command.junit.empty()) {
        std::ofstream file(command.junit, std::ios::binary);
        file << report.junit_xml();
        if (!file.flush()) return fail({"can't write \"" + command.junit + "\""});
    }
    const std::size_t passed = report.count(script::TestStatus::passed);
    const std::size_t failed = report.count(script::TestStatus::failed) + report.errors.size();
    const std::size_t skipped = report.count(script::TestStatus::skipped);
    if (passed + failed + skipped == 0)
        return fail({command.filter.empty()
                         ? "no tests: no *_test.lua below \"" + command.scripts.dir.string() + "\""
                         : "no test's name matches \"" + command.filter + "\""});
    std::cout << passed << " passed, " << failed << " failed";
    if (skipped > 0) std::cout << ", " << skipped << " skipped";
    std::cout << std::endl;
    return failed > 0 ? 1 : 0;
}

}  // namespace

void add_test_command(CLI::App& cli, int& exit_code) {
    CLI::App* command =
        cli.add_subcommand("test", "Run the apps' *_test.lua against their handlers");
    auto options = std::make_shared<TestCommand>();
    options->scripts.add_to(*command);
    command->add_option("--filter", options->filter,
                        "Only tests in whose full name this Lua pattern is found");
    command->add_option("--junit", options->junit, "Also write the results to this file, as JUnit XML");
    command->add_option("--seconds", options->seconds, "Real time that a test may take")
        ->check(CLI::Range(0.1, 3600.0))
        ->capture_default_str();
    command->add_flag("--verbose", options->verbose, "Name every test, not only what failed");
    command->callback([options, &exit_code] { exit_code = test(*options); });
}

}  // namespace moonwire::server
