#pragma once

#include <filesystem>
#include <functional>
#include <memory>
#include <vector>

#include "core/base/result.hpp"
#include "core/plugin/plugins.hpp"
#include "core/script/host.hpp"
#include "core/server/settings.hpp"

namespace moonwire::server {

/// What `moonwire run DIR` runs: the settings that rule, and the apps with theirs.
struct Configuration {
    Settings settings;
    /// Loaded and configured, not started; outlives what runs the apps. Never null.
    std::shared_ptr<plugin::Plugins> plugins = std::make_shared<plugin::Plugins>();
    std::filesystem::path dir;
    std::vector<script::App> apps;
    /// Of modules that the apps share: `shared` in DIR, or beside it if DIR is one app. Empty or
    /// not there: none.
    std::filesystem::path shared;
    /// Looks again: the apps that are there now.
    std::function<Result<std::vector<script::App>>()> find_apps;

    /// The apps, and `shared` like one if it is in DIR.
    std::vector<script::App> apps_to_test() const;
};

/// DIR is one app if Lua files lie directly in it (its moonwire.toml rules); else every folder
/// directly below it that holds Lua files is an app, except `shared`, DIR/moonwire.toml rules, and
/// of an app's own file only [settings] counts (the rest is checked all the same).
Result<Configuration> configure(const std::filesystem::path& dir, const Overrides& overrides);

/// The same with everything that is wrong at once: the apps are those that could be found, and with
/// an error the settings are not to be used.
Configuration configure(const std::filesystem::path& dir, const Overrides& overrides,
                        std::vector<Error>& errors);

}  // namespace moonwire::server
