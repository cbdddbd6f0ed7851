#include "core/plugin/plugins.hpp"

#include <doctest/doctest.h>

#include "core/base/log.hpp"

using namespace moonwire;
using namespace moonwire::plugin;

namespace {

using Lines = std::vector<std::string>;

std::string built(const std::string& name) {
    return std::string(PLUGIN_FOLDER) + "/" + name + ".so";
}

/// What is logged, as "plugin: message".
struct Log final : log::Listener {
    void on_line(log::Level, std::string_view message, const log::Field* fields,
                 std::size_t count) override {
        std::string line(message);
        if (count > 0) line = fields[0].value + ": " + line;
        if (count > 2 && fields[2].name == "reason") line += " (" + fields[2].value + ")";
        lines.push_back(line);
    }
    Lines take() { return std::exchange(lines, {}); }
    Lines lines;
};

PluginSettings loading(Lines load) {
    PluginSettings settings;
    settings.load = std::move(load);
    settings.load_where = "m.toml:3";
    settings.path = {PLUGIN_FOLDER};
    return settings;
}

void set(PluginSettings& settings, const std::string& key, const std::string& value, int line) {
    SettingNode node;
    node.value = value;
    node.where = "m.toml:" + std::to_string(line);
    SettingNode& table = settings.tables["sample"];
    table.where = "m.toml:4";
    std::get<SettingNode::Table>(table.value)[key] = std::move(node);
}

Lines load_errors(const PluginSettings& settings) {
    Plugins plugins;
    Lines lines;
    for (const Error& error : plugins.load(settings)) lines.push_back(error.message);
    return lines;
}

}  // namespace

TEST_CASE("plugins start in the order of their needs, drain and stop in the opposite one") {
    Log log;
    Plugins plugins;
    REQUIRE(plugins.load(loading({"needs_lone", built("sample"), "lone"})).empty());
    CHECK(plugins.names() == Lines{"lone", "needs_lone", "sample"});
    CHECK(log.take() == Lines{"sample: configured"});
    REQUIRE(plugins.start());
    CHECK(log.take() == Lines{"lone: started", "needs_lone: started", "sample: started"});
    plugins.drain();
    plugins.drain();
    CHECK(log.take() == Lines{"sample: drained", "needs_lone: drained", "lone: drained"});
    plugins.stop();
    plugins.stop();
    CHECK(log.take() == Lines{"sample: stopped", "needs_lone: stopped", "lone: stopped"});
}

TEST_CASE("whatever can't be loaded is named with its reason, all at once") {
    CHECK(load_errors(loading({"nowhere", "other_version", built("other_build")})).size() == 3);
    CHECK(load_errors(loading({built("no_plugin")})) ==
          Lines{"m.toml:3: plugins.load: " + built("no_plugin") + ": " + built("no_plugin") +
                ": not a plugin: it has no symbol moonwire_plugin (MOONWIRE_PLUGIN)"});
    CHECK(
        load_errors(loading({"wants_missing"})) ==
        Lines{"m.toml:3: plugins.load: plugin wants_missing needs plugin missing, which is not in "
              "plugins.load"});
    CHECK(load_errors(loading({"circle_a", "circle_b"})) ==
          Lines{"m.toml:3: plugins.load: plugins need each other in a circle: circle_a -> circle_b "
                "-> circle_a"});
}

TEST_CASE("a plugin's settings are its own to judge") {
    Log log;
    PluginSettings settings = loading({"sample"});
    set(settings, "limit", "no number", 5);
    set(settings, "typo", "x", 6);
    CHECK(load_errors(settings) ==
          Lines{"m.toml:5: plugins.sample.limit: expected a whole number from 1 to 100",
                "m.toml:6: plugins.sample.typo: unknown setting"});
}

TEST_CASE("a table of a plugin that is not loaded is told of") {
    PluginSettings settings = loading({"lone"});
    set(settings, "greeting", "x", 5);
    Plugins plugins;
    CHECK(plugins.load(settings).empty());
    CHECK(plugins.warnings() == Lines{"m.toml:4: plugins.sample: no such plugin is loaded"});
}

TEST_CASE("an exception names the plugin; what was started before it is stopped") {
    Log log;
    PluginSettings settings = loading({"lone", "sample"});
    set(settings, "fail_at", "configure", 5);
    CHECK(load_errors(settings) == Lines{"m.toml:3: plugin sample: configure failed as told"});

    set(settings, "fail_at", "start", 5);
    Plugins plugins;
    REQUIRE(plugins.load(settings).empty());
    log.take();
    const auto started = plugins.start();
    REQUIRE(!started);
    CHECK(started.error().message == "plugin sample: start failed as told");
    CHECK(log.take() == Lines{"lone: started", "lone: stopped"});
}

TEST_CASE("an exception at the end does not keep the others from ending") {
    Log log;
    PluginSettings settings = loading({"lone", "sample"});
    set(settings, "fail_at", "drain", 5);
    Plugins plugins;
    REQUIRE(plugins.load(settings).empty());
    REQUIRE(plugins.start());
    log.take();
    plugins.drain();
    CHECK(log.take() == Lines{"sample: drained", "sample: plugin failed (drain failed as told)",
                              "lone: drained"});
}
