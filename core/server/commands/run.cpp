// `moonwire run`: loads every app and serves until a signal ends it.

#include <pthread.h>
#include <signal.h>
#include <sys/resource.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <iostream>
#include <memory>

#include "core/base/incidents.hpp"
#include "core/base/log.hpp"
#include "core/server/broker.hpp"
#include "core/server/commands/commands.hpp"
#include "core/server/commands/script_options.hpp"
#include "core/server/control.hpp"

namespace moonwire::server {
namespace {

struct RunOptions {
    ScriptOptions scripts;
    std::string host, port, threads, watch;
    bool strict = false, demo = false;

    Overrides overrides() const {
        Overrides overrides;
        if (!host.empty()) overrides.emplace_back("server.host", host);
        if (!port.empty()) overrides.emplace_back("server.port", port);
        if (!threads.empty()) overrides.emplace_back("server.threads", threads);
        if (!watch.empty()) overrides.emplace_back("scripts.watch", watch);
        if (demo) overrides.emplace_back("scripts.demo", "true");
        if (strict) overrides.emplace_back("scripts.strict", "true");
        return overrides;
    }
};

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

/// A broker without it serves all the same.
void open_control(Control& control, Broker& broker) {
    const auto& wanted = broker.settings().control;
    const std::string path = wanted ? *wanted : control_socket_for(broker.addresses());
    if (path.empty()) return;
    const auto opened = control.open(broker, path, [] { kill(getpid(), SIGTERM); });
    if (!opened) log::warn("no control socket", {{"reason", opened.error().message}});
}

int run(const RunOptions& options) {
    const sigset_t signals = block_signals();
    auto configuration = options.scripts.configure(options.overrides());
    if (!configuration) return fail(configuration.error());
    const Settings& settings = configuration->settings;
    log::configure(settings.log_enabled ? settings.log_level : log::Level::off,
                   settings.log_format);
    raise_descriptor_limit();

    Control control;
    Broker broker(*std::move(configuration));
    const auto addresses = broker.start();
    if (!addresses) return fail(addresses.error());
    open_control(control, broker);
    for (const auto& address : *addresses) std::cout << "listening on " << address.url << std::endl;

    for (;;) {
        const timespec pause{1, 0};
        const int number = sigtimedwait(&signals, nullptr, &pause);
        if (number < 0) {  // nobody called
            broker.tick();
            continue;
        }
        report({.kind = IncidentKind::admin,
                .detail = std::string("signal ") + sigabbrev_np(number)});
        if (number == SIGHUP) {
            broker.reload(ReloadCause::asked);
            continue;
        }
        log::info("draining", {{"signal", number == SIGTERM ? "TERM" : "INT"}});
        // A second signal does not wait for the first one's courtesy.
        pthread_sigmask(SIG_UNBLOCK, &signals, nullptr);
        broker.drain();
        control.close();
        broker.stop();
        return 0;
    }
}

}  // namespace

void add_run_command(CLI::App& cli, int& exit_code) {
    CLI::App* command = cli.add_subcommand("run", "Load every app below DIR and serve");
    auto options = std::make_shared<RunOptions>();
    options->scripts.add_to(*command);
    command->add_option("--port", options->port, "The port; 0 picks one");
    command->add_option("--host", options->host, "The address to listen on");
    command->add_option("--threads", options->threads, "Reactors; 0: one a core");
    command->add_option("--watch", options->watch, "Whether saving a script reloads it (true)")
        ->type_name("BOOL");
    command->add_flag("--demo", options->demo,
                      "Load the apps' demo.lua: their pages show something");
    command->add_flag("--strict", options->strict, "Don't start while a script has an error");
    command->callback([options, &exit_code] { exit_code = run(*options); });
}

}  // namespace moonwire::server
