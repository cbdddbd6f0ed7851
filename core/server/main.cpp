// The command line: what each command does is in lua-api.md's terms; see README.md.

#include <pthread.h>
#include <signal.h>
#include <sys/resource.h>

#include <CLI/CLI.hpp>
#include <cstdio>
#include <filesystem>
#include <iostream>
#include <string>
#include <vector>

#include "core/base/log.hpp"
#include "core/server/apps.hpp"
#include "core/server/broker.hpp"

namespace moonwire::server {
namespace {

/// Options as typed; each given one overrides every other source.
struct Arguments {
    std::filesystem::path dir = "scripts";
    std::string host, port, threads;
    std::vector<std::string> set;

    Result<Overrides> overrides() const {
        Overrides overrides;
        for (const std::string& pair : set) {
            const std::size_t equals = pair.find('=');
            if (equals == std::string::npos || equals == 0)
                return Error{"--set takes KEY=VALUE, got \"" + pair + "\""};
            overrides.emplace_back(pair.substr(0, equals), pair.substr(equals + 1));
        }
        if (!host.empty()) overrides.emplace_back("server.host", host);
        if (!port.empty()) overrides.emplace_back("server.port", port);
        if (!threads.empty()) overrides.emplace_back("server.threads", threads);
        return overrides;
    }
};

Result<Configuration> read_configuration(const Arguments& arguments) {
    auto overrides = arguments.overrides();
    if (!overrides) return overrides.error();
    return configure(arguments.dir, *overrides);
}

int fail(const Error& error) {
    std::cerr << "moonwire: " << error.message << '\n';
    return 1;
}

/// As many descriptors as the system allows: each connection is one.
void raise_descriptor_limit() {
    rlimit limit{};
    if (getrlimit(RLIMIT_NOFILE, &limit) != 0 || limit.rlim_cur == limit.rlim_max) return;
    limit.rlim_cur = limit.rlim_max;
    if (setrlimit(RLIMIT_NOFILE, &limit) != 0) log::warn("the descriptor limit stays as it is");
}

/// Blocked in every thread made from here on, so that the wait below is the only receiver.
sigset_t block_signals() {
    sigset_t signals;
    sigemptyset(&signals);
    for (const int number : {SIGHUP, SIGTERM, SIGINT}) sigaddset(&signals, number);
    pthread_sigmask(SIG_BLOCK, &signals, nullptr);
    signal(SIGPIPE, SIG_IGN);
    return signals;
}

int run(const Arguments& arguments) {
    const sigset_t signals = block_signals();
    auto configuration = read_configuration(arguments);
    if (!configuration) return fail(configuration.error());
    const Settings& settings = configuration->settings;
    log::configure(settings.log_enabled ? settings.log_level : log::Level::off,
                   settings.log_format);
    raise_descriptor_limit();

    Broker broker(*std::move(configuration));
    const auto addresses = broker.start();
    if (!addresses) return fail(addresses.error());
    for (const auto& address : *addresses) std::cout << "listening on " << address.url << std::endl;

    for (;;) {
        const timespec pause{1, 0};
        const int number = sigtimedwait(&signals, nullptr, &pause);
        if (number < 0) {  // nobody called
            broker.give_back_memory();
            continue;
        }
        if (number == SIGHUP) {
            broker.reload();
            continue;
        }
        log::info("draining", {{"signal", number == SIGTERM ? "TERM" : "INT"}});
        // A second signal does not wait for the first one's courtesy.
        pthread_sigmask(SIG_UNBLOCK, &signals, nullptr);
        broker.drain();
        broker.stop();
        return 0;
    }
}

int check(const Arguments& arguments) {
    auto configuration = read_configuration(arguments);
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
}  // namespace moonwire::server

int main(int argc, char** argv) {
    using namespace moonwire::server;
    Arguments arguments;
    CLI::App cli("Moonwire: a Socket.IO message broker scripted in Lua", "moonwire");
    cli.set_version_flag("--version", MOONWIRE_VERSION);
    cli.require_subcommand(1);

    CLI::App* run_command = cli.add_subcommand("run", "Load every app below DIR and serve");
    run_command->add_option("DIR", arguments.dir, "The scripts folder")->capture_default_str();
    run_command->add_option("--port", arguments.port, "The port; 0 picks one");
    run_command->add_option("--host", arguments.host, "The address to listen on");
    run_command->add_option("--threads", arguments.threads, "Reactors; 0: one a core");
    run_command->add_option("--set", arguments.set, "A setting, as in --set log.level=debug")
        ->type_name("KEY=VALUE");

    CLI::App* check_command =
        cli.add_subcommand("check", "Load everything without serving, and say what is wrong");
    check_command->add_option("DIR", arguments.dir, "The scripts folder")->capture_default_str();
    check_command->add_option("--set", arguments.set, "A setting")->type_name("KEY=VALUE");

    CLI11_PARSE(cli, argc, argv);
    return run_command->parsed() ? run(arguments) : check(arguments);
}
