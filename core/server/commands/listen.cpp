// `moonwire listen`: a client that prints what it is sent.

#include <CLI/CLI.hpp>
#include <iostream>
#include <memory>

#include "core/client/listening.hpp"
#include "core/server/commands/client_options.hpp"
#include "core/server/commands/commands.hpp"
#include "core/server/commands/script_options.hpp"

namespace moonwire::server {
namespace {

struct ListenOptions {
    ClientOptions client;
    std::vector<std::string> events;
    std::size_t count = 0;
    bool json = false;
    bool no_reconnect = false;
};

int listen(const ListenOptions& options) {
    const auto checked = options.client.check();
    if (!checked) return fail(checked.error());

    client::Listening::Options listening;
    listening.server = options.client.url;
    listening.session = checked->session;
    listening.events.insert(options.events.begin(), options.events.end());
    listening.count = options.count;
    listening.timeout = options.client.timeout();
    listening.json = options.json;
    listening.reconnect = !options.no_reconnect;
    client::Listening::Output output;
    output.event = [](const std::string& line) {
        std::cout << line << std::endl;
        return bool(std::cout);
    };
    output.note = [](const std::string& line) { std::cerr << "moonwire: " << line << std::endl; };
    ClientRun run;
    client::Listening client(run.reactor(), std::move(listening), std::move(output), run.done());
    return run.wait([&] { client.start(run.connector(*checked)); }, [&] { client.interrupt(); });
}

}  // namespace

void add_listen_command(CLI::App& cli, int& exit_code) {
    CLI::App* command =
        cli.add_subcommand("listen", "Print the events that a Socket.IO server sends");
    auto options = std::make_shared<ListenOptions>();
    options->client.add_to(*command);
    command->add_option("EVENT", options->events, "Only these events");
    command->add_flag("--json", options->json, "A JSON document a line");
    command->add_option("--count", options->count, "End after so many events")
        ->check(CLI::PositiveNumber);
    command
        ->add_option("--timeout", options->client.timeout_seconds, "End after so many seconds")
        ->check(CLI::PositiveNumber);
    command->add_flag("--no-reconnect", options->no_reconnect, "End when the connection is lost");
    command->callback([options, &exit_code] { exit_code = listen(*options); });
}

}  // namespace moonwire::server
