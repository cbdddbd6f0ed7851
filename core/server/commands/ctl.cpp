// `moonwire ctl`: asks a running broker on this machine, over its control socket.

#include <CLI/CLI.hpp>
#include <iostream>
#include <memory>

#include "core/base/url.hpp"
#include "core/server/commands/commands.hpp"
#include "core/server/commands/script_options.hpp"
#include "core/server/control_socket.hpp"
#include "core/transport/local_request.hpp"

namespace moonwire::server {
namespace {

struct CtlOptions {
    std::string socket;
    bool json = false;
    double timeout_seconds = 30;
    std::string nsp, id;
    std::size_t limit = 100, offset = 0;
    bool close = false;
};

/// The socket of the only broker that runs here.
Result<std::string> find_broker() {
    std::vector<std::string> alive;
    for (const std::string& path : find_control_sockets()) {
        const auto answer = transport::request_locally(path, "GET", "/status", "application/json",
                                                       std::chrono::seconds(5));
        if (answer) alive.push_back(path);
    }
    if (alive.size() == 1) return alive.front();
    if (alive.empty())
        return Error{"no broker of yours runs here; looked for " + default_control_socket("*") +
                     "; --socket names another place"};
    std::string all = "several brokers run here, choose one with --socket:";
    for (const std::string& path : alive) all += " " + path;
    return Error{all};
}

int ask(const CtlOptions& options, const std::string& method, const std::string& target) {
    auto path = options.socket.empty() ? find_broker() : Result<std::string>(options.socket);
    if (!path) return fail(path.error());
    const auto answer = transport::request_locally(
        *path, method, target, options.json ? "application/json" : "text/plain",
        std::chrono::milliseconds(static_cast<std::int64_t>(options.timeout_seconds * 1000)));
    if (!answer) return fail(answer.error());
    constexpr unsigned kDone = 200, kScriptErrors = 422;
    const bool report = answer->status == kDone || answer->status == kScriptErrors;
    if (report || options.json) {
        std::cout << answer->body << std::flush;
    } else {
        std::string message = answer->body;
        if (message.ends_with('\n')) message.pop_back();
        return fail({message});
    }
    return answer->status == kDone ? 0 : 1;
}

std::string sockets_target(const CtlOptions& options) {
    std::string target = "/sockets?limit=" + std::to_string(options.limit) +
                         "&offset=" + std::to_string(options.offset);
    if (!options.nsp.empty()) target += "&namespace=" + url_encode(options.nsp);
    return target;
}

}  // namespace

void add_ctl_command(CLI::App& cli, int& exit_code) {
    CLI::App* ctl = cli.add_subcommand("ctl", "Look at a running broker, or tell it what to do");
    auto options = std::make_shared<CtlOptions>();
    ctl->require_subcommand(1);
    ctl->fallthrough();
    ctl->add_option("--socket", options->socket,
                    "The broker's control socket; else the only one that runs here")
        ->envname("MOONWIRE_SERVER_CONTROL");
    ctl->add_flag("--json", options->json, "JSON instead of text");
    ctl->add_option("--timeout", options->timeout_seconds, "For an answer, in seconds")
        ->check(CLI::Range(0.001, 86'400.0))
        ->capture_default_str();
    const auto add = [&](const char* name, const char* what, auto request) {
        CLI::App* command = ctl->add_subcommand(name, what);
        command->callback([options, request, &exit_code] {
            const auto [method, target] = request(*options);
            exit_code = ask(*options, method, target);
        });
        return command;
    };
    using Request = std::pair<const char*, std::string>;
    using O = const CtlOptions&;
    add("status", "Version, addresses, connections, namespaces, errors",
        [](O) { return Request("GET", "/status"); });
    add("namespaces", "The namespaces and what they do",
        [](O) { return Request("GET", "/namespaces"); });
    CLI::App* sockets = add("sockets", "Who is connected, the oldest connections first",
                            [](O o) { return Request("GET", sockets_target(o)); });
    sockets->add_option("NS", options->nsp, "Only of this namespace");
    sockets->add_option("--limit", options->limit, "At most so many")->capture_default_str();
    sockets->add_option("--offset", options->offset, "Leave out so many")->capture_default_str();
    add("reload", "Load the scripts anew; says what is wrong with them",
        [](O) { return Request("POST", "/reload"); });
    CLI::App* disconnect = add("disconnect", "Put a socket out of its namespace", [](O o) {
        return Request("POST", "/disconnect?id=" + url_encode(o.id) + (o.close ? "&close=1" : ""));
    });
    disconnect->add_option("ID", options->id, "As `sockets` shows it")->required();
    disconnect->add_flag("--close", options->close, "End its whole connection");
    add("drain", "Take no new clients, disconnect those there are, and end",
        [](O) { return Request("POST", "/drain"); });
}

}  // namespace moonwire::server
