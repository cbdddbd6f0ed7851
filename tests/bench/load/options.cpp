#include "tests/bench/load/options.hpp"

#include <CLI/CLI.hpp>
#include <map>

namespace bench {
namespace {

using Pattern = Options::Pattern;

const std::map<std::string, Options>& scenarios() {
    static const std::map<std::string, Options> all = [] {
        std::map<std::string, Options> made;
        made["wide"] = {.rate = 100, .members = 1000};
        made["hot"] = {.rate = 10000, .members = 20};
        made["rooms"] = {.rate = 5000, .rooms = 1000, .members = 10};
        made["polling"] = {.rate = 20, .members = 200, .polling = true};
        made["big"] = {.rate = 50, .members = 100, .payload = 16384};
        made["deflate"] = {.rate = 50, .members = 200, .payload = 2048, .deflate = true};
        made["tls"] = {.rate = 100, .members = 200, .tls = true};
        // A tick, so that servers are seen working and not falling asleep and waking up: on a virtual
        // machine that costs several times what an echo does.
        made["echo"] = {.pattern = Pattern::request,
                        .rate = 60000,
                        .tick_us = 1000,
                        .clients = 100,
                        .event = "echo"};
        made["rebuild"] = {.pattern = Pattern::request,
                           .rate = 30000,
                           .tick_us = 1000,
                           .clients = 100,
                           .event = "rebuild"};
        made["transit"] = {.pattern = Pattern::request,
                           .rate = 2400,
                           .clients = 1200,
                           .commuters = 10000,
                           .event = "query"};
        made["storm"] = {.pattern = Pattern::storm, .clients = 200};
        made["idle"] = {.pattern = Pattern::idle, .clients = 15000};
        return made;
    }();
    return all;
}

}  // namespace

Options Options::parse(int argc, char** argv) {
    std::string scenario;
    for (int i = 1; i < argc && scenario.empty(); ++i)
        if (scenarios().contains(argv[i])) scenario = argv[i];
    Options options = scenario.empty() ? Options{} : scenarios().at(scenario);

    CLI::App app("Loads a Socket.IO server and prints what came of it as JSON.");
    app.add_option("scenario", options.scenario)->required()->check([](const std::string& name) {
        if (scenarios().contains(name)) return std::string();
        std::string names;
        for (const auto& [each, _] : scenarios()) names += ' ' + each;
        return "is none of:" + names;
    });
    app.add_option("--port", options.port, "of 127.0.0.1")->required();
    app.add_option("--pid", options.pids, "of the server, for its CPU time and memory");
    app.add_option("--warmup", options.warmup_seconds, "seconds of load before it counts");
    app.add_option("--seconds", options.seconds, "that count");
    app.add_option("--rate", options.rate, "events a second")->check(CLI::PositiveNumber);
    app.add_option("--tick", options.tick_us, "microseconds: what is due in the same leaves together");
    app.add_option("--rooms", options.rooms)->check(CLI::PositiveNumber);
    app.add_option("--members", options.members, "of each room")->check(CLI::PositiveNumber);
    app.add_option("--clients", options.clients)->check(CLI::PositiveNumber);
    app.add_option("--idle", options.idle, "further clients that only stay connected");
    app.add_option("--payload", options.payload, "bytes of an event");
    app.add_option("--event", options.event, "pub, relay, echo, rebuild, query");
    app.add_flag("--polling", options.polling);
    app.add_flag("--tls", options.tls);
    app.add_flag("--deflate", options.deflate);
    try {
        app.parse(argc, argv);
    } catch (const CLI::ParseError& error) {
        std::exit(app.exit(error));
    }
    return options;
}

}  // namespace bench
