// `moonwire check`: reads, compiles and loads everything without serving, and says all that is
// wrong.

#include <CLI/CLI.hpp>
#include <algorithm>
#include <charconv>
#include <iostream>
#include <memory>

#include "core/base/json_text.hpp"
#include "core/base/log.hpp"
#include "core/script/check.hpp"
#include "core/server/commands/commands.hpp"
#include "core/server/commands/script_options.hpp"
#include "core/transport/http_client.hpp"
#include "core/transport/tls_context.hpp"

namespace moonwire::server {
namespace {

using script::Problem;

struct CheckOptions {
    ScriptOptions scripts;
    bool strict = false;
    bool json = false;
};

/// An error of the settings, which says its place in front if it has one.
Problem settings_problem(const Error& error) {
    Problem problem{"", 0, 0, false, error.message};
    const std::size_t name = error.message.find(".toml:");
    if (name == std::string::npos) return problem;
    const char* number = error.message.data() + name + 6;
    const char* end = error.message.data() + error.message.size();
    const auto [after, code] = std::from_chars(number, end, problem.line);
    if (code != std::errc() || end - after < 2 || after[0] != ':' || after[1] != ' ') {
        problem.line = 0;
        return problem;
    }
    problem.file = error.message.substr(0, name + 5);
    problem.message = std::string(after + 2, end);
    return problem;
}

std::vector<Problem> find_problems(const CheckOptions& options, std::size_t& app_count) {
    std::vector<Error> errors;
    const Configuration configuration = options.scripts.configure_all(errors);
    app_count = configuration.apps.size();
    const transport::TlsOptions& tls = configuration.settings.transport.tls;
    if (errors.empty() && tls.enabled())
        if (auto context = transport::TlsContext::load(tls); !context)
            errors.push_back(context.error());
    if (errors.empty())
        if (auto opened = transport::HttpClient(configuration.settings.http, {}).open(); !opened)
            errors.push_back(opened.error());

    std::vector<Problem> problems;
    for (const Error& error : errors) {
        // A variable's mistake is met once for each app.
        Problem problem = settings_problem(error);
        const auto same = [&](const Problem& other) {
            return other.file == problem.file && other.line == problem.line &&
                   other.message == problem.message;
        };
        if (std::none_of(problems.begin(), problems.end(), same))
            problems.push_back(std::move(problem));
    }
    for (const std::string& warning : configuration.plugins->warnings()) {
        problems.push_back(settings_problem({warning}));
        problems.back().is_warning = true;
    }
    script::HostOptions host;
    host.apps = configuration.apps;
    host.limits = configuration.settings.script_limits;
    for (Problem& each : script::check_scripts(host)) problems.push_back(std::move(each));
    return problems;
}

void print_text(const Problem& problem) {
    if (!problem.file.empty()) std::cout << problem.file << ':';
    if (problem.line > 0) std::cout << problem.line << ':';
    if (problem.column > 0) std::cout << problem.column << ':';
    if (!problem.file.empty()) std::cout << ' ';
    if (problem.is_warning) std::cout << "warning: ";
    std::cout << problem.message << '\n';
}

void print_json(const std::vector<Problem>& problems) {
    std::string out = "[";
    for (const Problem& each : problems) {
        out += out.size() > 1 ? ",\n {" : "\n {";
        out += "\"file\":" + json_string(each.file) + ",\"line\":" + std::to_string(each.line) +
               ",\"column\":" + std::to_string(each.column) + ",\"severity\":" +
               (each.is_warning ? "\"warning\"" : "\"error\"") +
               ",\"message\":" + json_string(each.message) + '}';
    }
    std::cout << out << (problems.empty() ? "]\n" : "\n]\n");
}

int check(const CheckOptions& options) {
    log::configure(log::Level::warn, log::Format::text);
    std::size_t app_count = 0;
    const std::vector<Problem> problems = find_problems(options, app_count);
    const auto warnings = std::count_if(problems.begin(), problems.end(),
                                        [](const Problem& each) { return each.is_warning; });
    const auto errors = static_cast<std::ptrdiff_t>(problems.size()) - warnings;
    if (options.json) {
        print_json(problems);
    } else {
        for (const Problem& each : problems) print_text(each);
        if (problems.empty()) std::cout << "ok: " << app_count << " app(s)\n";
        else std::cout << errors << " error(s), " << warnings << " warning(s)\n";
    }
    return errors > 0 || (options.strict && warnings > 0) ? 1 : 0;
}

}  // namespace

void add_check_command(CLI::App& cli, int& exit_code) {
    CLI::App* command =
        cli.add_subcommand("check", "Load everything without serving, and say what is wrong");
    auto options = std::make_shared<CheckOptions>();
    options->scripts.add_to(*command);
    command->add_flag("--strict", options->strict, "Warnings are errors");
    command->add_flag("--json", options->json, "A JSON list of {file, line, column, severity, message}");
    command->callback([options, &exit_code] { exit_code = check(*options); });
}

}  // namespace moonwire::server
