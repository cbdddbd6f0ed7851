// `moonwire emit`: a client that sends one event.

#include <CLI/CLI.hpp>
#include <memory>

#include "core/base/json_text.hpp"
#include "core/client/json_values.hpp"
#include "core/server/commands/client_options.hpp"
#include "core/server/commands/commands.hpp"
#include "core/server/commands/script_options.hpp"

namespace moonwire::server {
namespace {

struct EmitOptions {
    ClientOptions client;
    std::string event;
    std::vector<std::string> arguments;
    bool acknowledge = false;
};

Result<client::OutgoingEvent> outgoing_event(const EmitOptions& options) {
    client::OutgoingEvent event;
    event.json = "[" + json_string(options.event);
    for (std::size_t i = 0; i < options.arguments.size(); ++i) {
        const std::string& given = options.arguments[i];
        auto text = given == "-" ? read_text("-") : Result<std::string>(given);
        if (!text) return text.error();
        const auto json = client::to_wire(*text, event.attachments);
        if (!json)
            return Error{(given == "-" ? "standard input"
                                       : "argument " + std::to_string(i + 1) + " (" + given + ")") +
                         ": not JSON at " + json.error().message};
        event.json += "," + *json;
    }
    event.json += "]";
    return event;
}

int emit(const EmitOptions& options) {
    const auto checked = options.client.check();
    if (!checked) return fail(checked.error());
    if (socketio::is_reserved_event(options.event))
        return fail({"\"" + options.event + "\" is an event that Socket.IO keeps for itself"});
    auto event = outgoing_event(options);
    if (!event) return fail(event.error());

    client::Emission::Options emission;
    emission.server = options.client.url;
    emission.session = checked->session;
    emission.event = *std::move(event);
    emission.acknowledge = options.acknowledge;
    emission.timeout = options.client.timeout();
    emission.session.connect_timeout = emission.timeout;
    ClientRun run;
    client::Emission client(run.reactor(), std::move(emission), run.done());
    return run.wait([&] { client.start(run.connector(*checked)); }, [&] { client.interrupt(); });
}

}  // namespace

void add_emit_command(CLI::App& cli, int& exit_code) {
    CLI::App* command = cli.add_subcommand(
        "emit",
        "Send an event to a Socket.IO server. Its arguments follow EVENT, each one JSON value: - "
        "reads one from standard input, bytes are {\"_bytes\":\"base64\"}");
    auto options = std::make_shared<EmitOptions>();
    options->client.timeout_seconds = 10;
    options->client.add_to(*command);
    command->add_option("EVENT", options->event, "The event's name")->required();
    // Not an option of many values: CLI11 would take [1,2] for two of them, and -5 for a flag.
    command->allow_extras();
    command->add_flag("--ack", options->acknowledge,
                      "Wait for the acknowledgement and print its values as a JSON array");
    command
        ->add_option("--timeout", options->client.timeout_seconds, "For all of it, in seconds")
        ->check(CLI::PositiveNumber)
        ->capture_default_str();
    command->callback([options, command, &exit_code] {
        options->arguments = command->remaining();
        exit_code = emit(*options);
    });
}

}  // namespace moonwire::server
