#include "core/script/test_runner.hpp"

#include <algorithm>

#include "core/script/app_files.hpp"
#include "core/script/test_bench.hpp"
#include "core/script/vm.hpp"
#include "core/script/watchdog.hpp"

namespace moonwire::script {
namespace {

/// How long a handler may run without waiting, of real time.
constexpr std::chrono::seconds kHandlerTime{1};

/// The app with settings that the running test may override.
App with_settings(const App& app, const std::shared_ptr<TestSettings>& settings) {
    App changed = app;
    changed.setting = std::make_shared<
        const std::function<std::optional<std::string>(std::string_view)>>(
        [settings, original = app.setting](std::string_view name) -> std::optional<std::string> {
            if (const auto found = settings->find(name); found != settings->end())
                return found->second;
            return original && *original ? (*original)(name) : std::nullopt;
        });
    return changed;
}

/// Compiles every script, since each test loads them all. What does not compile says why when it
/// is loaded.
void compile(FoundScripts& found) {
    Vm vm(0);
    const auto compile_file = [&](ScriptFile& file) {
        if (auto bytecode = vm.compile(file.source, file.path)) file.bytecode = *std::move(bytecode);
    };
    for (auto& app : found.apps) {
        auto compiled = std::make_shared<AppSources>(*app);
        for (auto& [name, module] : compiled->modules) compile_file(module);
        for (auto& [name, sources] : found.namespaces)
            if (sources.app == app) sources.app = compiled;
        app = std::move(compiled);
    }
    for (auto& [name, sources] : found.namespaces)
        for (ScriptFile& file : sources.files) compile_file(file);
}

/// Test files may require each other, for what they share.
std::shared_ptr<const AppSources> with_tests(const AppSources& app,
                                             const std::vector<ScriptFile>& tests) {
    auto all = std::make_shared<AppSources>(app);
    for (const ScriptFile& file : tests)
        all->modules.emplace(module_name(file.path.substr(app.app.name.size() + 1)), file);
    return all;
}

class Runner {
public:
    Runner(const TestOptions& options, const std::function<void(const TestResult&)>& on_result)
        : options_(options), on_result_(on_result) {}

    void run_app(const App& original) {
        TestBench::Options bench;
        bench.settings = std::make_shared<TestSettings>();
        const App app = with_settings(original, bench.settings);
        FoundTests read = find_tests(app);
        report_.errors.insert(report_.errors.end(), read.errors.begin(), read.errors.end());
        const std::vector<ScriptFile> files = std::move(read.tests);
        auto found = std::make_shared<FoundScripts>(std::move(read.scripts));
        if (std::filesystem::exists(app.folder / kDemoFile)) {
            App shown = app;
            shown.demo = true;
            auto with_demo = std::make_shared<FoundScripts>(find_tests(shown).scripts);
            compile(*with_demo);
            bench.with_demo = std::move(with_demo);
        }
        if (found->apps.empty())
            report_.errors.insert(report_.errors.end(), found->errors.begin(), found->errors.end());
        if (files.empty()) return;
        compile(*found);
        bench.world.host = options_.host;
        bench.world.make_store = options_.make_store;
        bound(bench.world.host.limits);
        for (auto& [name, own] : bench.world.host.namespaces) bound(own.limits);
        bench.world.host.apps = {app};
        bench.world.host.sources = found;
        if (!scripts_load(bench.world.host)) return;
        bench.app = with_tests(*found->apps.front(), files);
        bench.limits = bench.world.host.limits;
        bench.test_time = options_.test_time;
        bench.world.server = options_.server;
        // The simulated clients speak the default parser's language.
        bench.world.server.nsp.format = socketio::Format::json;
        for (const auto& alias : options_.aliases)
            if (found->namespaces.contains(alias.second)) bench.world.aliases.push_back(alias);
        for (const ScriptFile& file : files) run_file(bench, file);
    }

    TestReport take() { return std::move(report_); }

private:
    /// What must be stopped can't be compiled; and a machine that is busy with other things must not
    /// fail a test whose handlers are quick.
    void bound(VmLimits& limits) {
        limits.jit = false;
        limits.watchdog = watchdog_;
        limits.handler = std::min<Duration>(kHandlerTime, options_.test_time);
        limits.load = options_.test_time;
    }

    bool scripts_load(const HostOptions& host) {
        TestWorld::Options options;
        options.host = host;
        const auto errors = TestWorld(std::move(options)).load();
        report_.errors.insert(report_.errors.end(), errors.begin(), errors.end());
        return errors.empty();
    }

    void run_file(const TestBench::Options& options, const ScriptFile& file) {
        TestBench bench(options);
        if (auto error = bench.load(file)) {
            report_.errors.push_back(*std::move(error));
            return;
        }
        for (std::size_t i = 0; i < bench.cases().size(); ++i) {
            const TestBench::Case& each = bench.cases()[i];
            if (!options_.filter.empty()) {
                const auto wanted = bench.matches(each.name, options_.filter);
                if (!wanted) {
                    report_.errors.push_back({"--filter", 0, wanted.error().message});
                    return;
                }
                if (!*wanted) continue;
            }
            run_case(bench, file, i);
        }
    }

    void run_case(TestBench& bench, const ScriptFile& file, std::size_t index) {
        const TestBench::Case& each = bench.cases()[index];
        TestResult result{file.path, each.line, each.name, TestStatus::skipped, {}, 0};
        if (!each.skipped) {
            const TimePoint began = Clock::now();
            auto failure = bench.run(index);
            result.seconds = std::chrono::duration<double>(Clock::now() - began).count();
            result.status = failure ? TestStatus::failed : TestStatus::passed;
            if (failure) result.failure = *std::move(failure);
        }
        if (on_result_) on_result_(result);
        report_.results.push_back(std::move(result));
    }

    const TestOptions& options_;
    const std::function<void(const TestResult&)>& on_result_;
    TestReport report_;
    // One for all worlds: it has a thread.
    const std::shared_ptr<Watchdog> watchdog_ = std::make_shared<Watchdog>();
};

/// Text for XML 1.0, which has no way to say most control characters.
std::string xml(std::string_view text) {
    std::string out;
    for (const char c : text) {
        switch (c) {
            case '&': out += "&amp;"; break;
            case '<': out += "&lt;"; break;
            case '>': out += "&gt;"; break;
            case '"': out += "&quot;"; break;
            case '\n': out += "&#10;"; break;
            case '\t': out += ' '; break;
            default: out += static_cast<unsigned char>(c) < 0x20 ? '?' : c;
        }
    }
    return out;
}

std::string seconds_text(double seconds) {
    char text[32];
    std::snprintf(text, sizeof text, "%.6f", seconds);
    return text;
}

std::string counts(std::size_t tests, std::size_t failures, std::size_t errors,
                   std::size_t skipped) {
    return "tests=\"" + std::to_string(tests) + "\" failures=\"" + std::to_string(failures) +
           "\" errors=\"" + std::to_string(errors) + "\" skipped=\"" + std::to_string(skipped) +
           "\"";
}

}  // namespace

std::size_t TestReport::count(TestStatus status) const {
    return static_cast<std::size_t>(
        std::count_if(results.begin(), results.end(),
                      [&](const TestResult& each) { return each.status == status; }));
}

std::string TestReport::junit_xml() const {
    std::string out = "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuites name=\"moonwire test\" " +
                      counts(results.size() + errors.size(), count(TestStatus::failed),
                             errors.size(), count(TestStatus::skipped)) +
                      ">\n";
    // A file's tests follow each other.
    for (auto first = results.begin(); first != results.end();) {
        const auto last = std::find_if(first, results.end(), [&](const TestResult& each) {
            return each.file != first->file;
        });
        TestReport suite{{first, last}, {}};
        double seconds = 0;
        for (const TestResult& each : suite.results) seconds += each.seconds;
        out += "  <testsuite name=\"" + xml(first->file) + "\" " +
               counts(suite.results.size(), suite.count(TestStatus::failed), 0,
                      suite.count(TestStatus::skipped)) +
               " time=\"" + seconds_text(seconds) + "\">\n";
        for (const TestResult& each : suite.results) {
            out += "    <testcase classname=\"" + xml(each.file) + "\" name=\"" + xml(each.name) +
                   "\" file=\"" + xml(each.file) + "\" line=\"" + std::to_string(each.line) +
                   "\" time=\"" + seconds_text(each.seconds) + "\"";
            if (each.status == TestStatus::passed) out += "/>\n";
            else if (each.status == TestStatus::skipped) out += "><skipped/></testcase>\n";
            else
                out += "><failure message=\"" +
                       xml(each.failure.substr(0, each.failure.find('\n'))) + "\">" +
                       xml(each.failure) + "</failure></testcase>\n";
        }
        out += "  </testsuite>\n";
        first = last;
    }
    for (const LoadError& error : errors) {
        const std::string where = error.file + ":" + std::to_string(error.line);
        out += "  <testsuite name=\"" + xml(error.file) + "\" " + counts(1, 0, 1, 0) +
               " time=\"0\">\n    <testcase classname=\"" + xml(error.file) +
               "\" name=\"loads\" time=\"0\"><error message=\"" + xml(where) + "\">" +
               xml(where + ": " + error.message) + "</error></testcase>\n  </testsuite>\n";
    }
    return out + "</testsuites>\n";
}

TestReport run_tests(const TestOptions& options,
                     const std::function<void(const TestResult&)>& on_result) {
    Runner runner(options, on_result);
    for (const App& app : options.host.apps) runner.run_app(app);
    return runner.take();
}

}  // namespace moonwire::script
