#include "core/script/check.hpp"

#include <algorithm>
#include <map>
#include <set>
#include <tuple>
#include <utility>

#include "core/script/api.hpp"
#include "core/script/api_names.hpp"
#include "core/script/app_files.hpp"
#include "core/script/contract.hpp"
#include "core/script/lint.hpp"
#include "core/script/loader.hpp"
#include "core/script/metric_registry.hpp"
#include "core/script/route_table.hpp"
#include "core/script/watchdog.hpp"

namespace moonwire::script {
namespace {

template <typename Entries>
LintNamespace::Names names_of(const Entries& entries) {
    LintNamespace::Names names;
    for (const auto& [name, entry] : entries) names[name] = entry.position;
    return names;
}

/// Demos are looked at, on or off.
std::vector<App> with_demos(std::vector<App> apps) {
    for (App& app : apps) app.demo = true;
    return apps;
}

class Checker {
public:
    explicit Checker(const HostOptions& options)
        : limits_(options.limits),
          found_(find_scripts(with_demos(options.apps))),
          api_(read_api_names(options.limits.extensions)) {
        limits_.watchdog = std::make_shared<Watchdog>();
        limits_.jit = false;  // or a load that never ends could not be stopped
    }

    std::vector<Problem> check() {
        for (const LoadError& each : found_.errors) add(each);
        for (const auto& app : found_.apps) read_app(*app);
        read_shared();
        for (auto& [name, sources] : found_.namespaces) load(sources);
        for (const LintApp& app : apps_)
            for (Problem& each : lint_app(app, namespaces_, api_)) add(std::move(each));
        for (const LoadError& each : name_conflicts(contracts_)) add(each);
        for (const auto& [name, nsp] : namespaces_)
            for (Problem& each : lint_events(nsp, namespaces_)) add(std::move(each));
        std::stable_sort(problems_.begin(), problems_.end(), [](const auto& a, const auto& b) {
            return std::tie(a.file, a.line, a.column) < std::tie(b.file, b.line, b.column);
        });
        return std::move(problems_);
    }

private:
    void add(const LoadError& error) {
        add(Problem{error.file, error.line, 0, false, error.message});
    }
    /// One mistake may be met when a file is read, compiled, loaded and required; what says the
    /// column says it best.
    void add(Problem problem) {
        for (Problem& other : problems_) {
            if (problem.line == 0 || other.line != problem.line || other.file != problem.file ||
                other.is_warning || problem.is_warning)
                continue;
            if (problem.column != 0 && other.column == 0) {
                other = std::move(problem);
                return;
            }
            if (problem.column == 0 || problem.column == other.column) return;
        }
        problems_.push_back(std::move(problem));
    }

    void read_app(const AppSources& sources) {
        LintApp app;
        app.name = sources.app.name;
        for (const auto& [name, file] : sources.modules) {
            const auto shared = found_.shared.find(name);
            if (shared != found_.shared.end() && shared->second.path == file.path) {
                app.shared.insert(name);
                continue;
            }
            app.modules[name] = file.path;
            read_file(app, file, "");
        }
        bool serves = std::any_of(found_.errors.begin(), found_.errors.end(), [&](const auto& each) {
            return each.file.starts_with(sources.app.name + "/");
        });
        for (const auto& [name, nsp] : found_.namespaces) {
            if (nsp.app.get() != &sources) continue;
            serves = true;
            for (const ScriptFile& file : nsp.files) read_file(app, file, name);
        }
        serves |= app.files.empty() && !app.shared.empty();  // the shared folder itself
        if (!serves) add(Problem{sources.app.name, 0, 0, true, "no file here calls namespace"});
        apps_.push_back(std::move(app));
    }

    void read_shared() {
        LintApp modules;
        modules.name = "shared";
        for (const auto& [name, file] : found_.shared) {
            modules.shared.insert(name);
            read_file(modules, file, "");
        }
        apps_.push_back(std::move(modules));
    }

    void read_file(LintApp& app, const ScriptFile& file, const std::string& nsp) {
        LintFile read{file.path, nsp, read_facts(file.source)};
        if (auto error = compile(file)) {
            broken_.insert(file.path);
            // What the compiler does not like, only it knows for sure; the place is ours to tell.
            Problem problem{error->file, error->line, 0, false, error->message};
            if (read.facts.broken && read.facts.broken->line == problem.line)
                problem.column = read.facts.broken->column;
            read.facts.broken.emplace();
            add(std::move(problem));
        }
        app.files.push_back(std::move(read));
    }

    std::optional<LoadError> compile(const ScriptFile& file) {
        Vm vm(limits_.memory_bytes);
        auto compiled = vm.push_environment();
        if (compiled) compiled = vm.load(file.source, file.path, 1);
        if (compiled) return std::nullopt;
        return load_error({{}, std::make_shared<const AppSources>(), {file}}, file.path,
                          compiled.error().message);
    }

    /// Runs what can be compiled of a namespace's files.
    void load(NamespaceSources sources) {
        LintNamespace& nsp = namespaces_[sources.name];
        const std::size_t all = sources.files.size();
        const std::string first = sources.files.front().path;
        std::erase_if(sources.files,
                      [this](const ScriptFile& file) { return broken_.contains(file.path); });
        if (sources.files.empty()) return;
        Runtime runtime(limits_, nullptr);
        runtime.metrics = &registry_;
        auto prepared = Vm::protect(runtime.state(), 0, [](lua_State* state) {
            register_api(state);
            return 0;
        });
        if (!prepared) return add(LoadError{first, 0, prepared.error().message});
        std::vector<LoadError> errors;
        Loaded loaded = load_generation(runtime, 1, sources, &errors);
        if (loaded.error) errors.push_back(*std::move(loaded.error));
        if (loaded.generation) {
            Generation& generation = *loaded.generation;
            if (auto conflict = routes_.conflict(sources.name, generation.routes))
                errors.push_back(*std::move(conflict));
            routes_.replace(sources.name, std::move(generation.routes));
            nsp.events = names_of(generation.events);
            for (const auto& [event, handler] : generation.events)
                if (handler.relay && !handler.relay->to_namespace.empty())
                    nsp.relayed_to[handler.relay->to_namespace] = handler.position;
            nsp.services = names_of(generation.services);
            nsp.server_events = names_of(generation.server_events);
            nsp.declarations = names_of(generation.declarations);
            contracts_.push_back(contract_of(generation));
            nsp.globals = read_globals(runtime, generation);
            metrics_.push_back(std::move(generation.metrics));
            generation.retire();
        }
        nsp.loaded = errors.empty() && sources.files.size() == all;
        for (const LoadError& each : errors) add(each);
    }

    VmLimits limits_;
    const FoundScripts found_;
    const ApiNames api_;
    std::vector<LintApp> apps_;
    std::set<std::string> broken_;  // files that don't compile
    LintNamespaces namespaces_;
    std::vector<NamespaceContract> contracts_;
    RouteTable routes_;
    MetricRegistry registry_{FigureLimits{}};
    std::vector<std::map<std::string, std::shared_ptr<MetricLease>>> metrics_;  // of all namespaces
    std::vector<Problem> problems_;
};

}  // namespace

std::vector<Problem> check_scripts(const HostOptions& options) {
    return Checker(options).check();
}

}  // namespace moonwire::script
