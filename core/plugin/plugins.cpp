#include "core/plugin/plugins.hpp"

#include <exception>
#include <optional>
#include <utility>

#include "core/base/log.hpp"
#include "core/plugin/library.hpp"
#include "core/plugin/load_order.hpp"
#include "core/plugin/plugin_host.hpp"

namespace moonwire::plugin {
namespace {

/// Calls what is a plugin's; what it threw.
template <typename Call>
std::optional<std::string> caught(Call&& call) {
    try {
        call();
        return std::nullopt;
    } catch (const std::exception& exception) {
        return exception.what();
    } catch (...) {
        return "an exception of an unknown type";
    }
}

Error at(const std::string& where, const std::string& message) {
    return Error{(where.empty() ? "" : where + ": ") + message};
}

}  // namespace

struct Plugins::Loaded {
    Loaded(Library library, Provisions& provisions, const Surroundings& surroundings)
        : library(std::move(library)), host(this->library.name(), provisions, surroundings) {}

    const Library library;
    PluginHost host;
    std::unique_ptr<Plugin> plugin;
};

Plugins::Plugins() = default;

Plugins::~Plugins() { stop(); }

const std::vector<std::string>& Plugins::warnings() const noexcept { return warnings_; }
const Provisions& Plugins::provisions() const noexcept { return provisions_; }

std::vector<std::string> Plugins::names() const {
    std::vector<std::string> names;
    for (const auto& each : plugins_) names.push_back(each->library.name());
    return names;
}

std::vector<Error> Plugins::load(const PluginSettings& settings) {
    std::vector<Error> errors = open_all(settings);
    if (errors.empty()) configure_all(settings, errors);
    return errors;
}

std::vector<Error> Plugins::open_all(const PluginSettings& settings) {
    std::vector<std::filesystem::path> folders = settings.path;
    for (auto& folder : plugin_folders()) folders.push_back(std::move(folder));
    std::vector<Error> errors;
    std::vector<Library> libraries;
    std::vector<Dependent> dependents;
    for (const std::string& wanted : settings.load) {
        const auto fail = [&](const std::string& why) {
            errors.push_back(at(settings.load_where, "plugins.load: " + wanted + ": " + why));
        };
        auto path = find_library(wanted, folders);
        auto library = path ? open_library(*path) : Result<Library>(path.error());
        if (!library) {
            fail(library.error().message);
            continue;
        }
        const std::string name = library->name();
        if (wanted.find('/') == wanted.npos && name != wanted) {
            fail(library->path.string() + ": is plugin " + name);
            continue;
        }
        dependents.push_back({name, library->needs()});
        libraries.push_back(*std::move(library));
    }
    if (!errors.empty()) return errors;
    const auto order = load_order(dependents);
    if (!order) return {at(settings.load_where, "plugins.load: " + order.error().message)};
    for (const std::size_t index : *order)
        plugins_.push_back(std::make_unique<Loaded>(libraries[index], provisions_, surroundings_));
    return {};
}

void Plugins::configure_all(const PluginSettings& settings, std::vector<Error>& errors) {
    auto tables = settings.tables;
    for (const auto& each : plugins_) {
        const std::string name = each->library.name();
        auto table = tables.extract(name);
        SettingNode node = table ? std::move(table.mapped()) : SettingNode();
        if (node.where.empty()) node.where = settings.load_where;
        Settings own("plugins." + name, std::move(node));
        const auto thrown = caught([&] {
            each->plugin.reset(each->library.descriptor->make());
            each->plugin->configure(each->host, own);
        });
        each->host.end_configuring();
        if (thrown) errors.push_back(at(settings.load_where, "plugin " + name + ": " + *thrown));
        else
            for (std::string& error : own.finish()) errors.push_back({std::move(error)});
    }
    for (const auto& [name, table] : tables)
        warnings_.push_back((table.where.empty() ? "" : table.where + ": ") + "plugins." + name +
                            ": no such plugin is loaded");
}

Result<void> Plugins::start(Surroundings surroundings) {
    surroundings_ = std::move(surroundings);
    for (; started_ < plugins_.size(); ++started_) {
        Loaded& each = *plugins_[started_];
        const auto thrown = caught([&] { each.plugin->start(); });
        if (!thrown) continue;
        stop();
        return Error{"plugin " + each.library.name() + ": " + *thrown};
    }
    return {};
}

void Plugins::drain() {
    if (std::exchange(drained_, true)) return;
    for (std::size_t i = started_; i-- > 0;)
        if (const auto thrown = caught([&] { plugins_[i]->plugin->drain(); }))
            log::error(
                "plugin failed",
                {{"plugin", plugins_[i]->library.name()}, {"in", "drain"}, {"reason", *thrown}});
}

void Plugins::stop() {
    while (started_ > 0) {
        const Loaded& each = *plugins_[--started_];
        if (const auto thrown = caught([&] { each.plugin->stop(); }))
            log::error("plugin failed",
                       {{"plugin", each.library.name()}, {"in", "stop"}, {"reason", *thrown}});
    }
    for (std::size_t i = plugins_.size(); i-- > 0;) plugins_[i]->plugin.reset();
}

}  // namespace moonwire::plugin
