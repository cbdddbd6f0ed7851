#include "core/server/apps.hpp"

#include <algorithm>
#include <charconv>
#include <memory>
#include <system_error>

#include "core/base/json_text.hpp"
#include "core/script/extensions.hpp"

namespace moonwire::server {
namespace fs = std::filesystem;
namespace {

constexpr std::string_view kFileName = "moonwire.toml";
constexpr std::string_view kSharedName = "shared";

bool holds_lua(const fs::path& folder, bool recursively) {
    std::error_code error;
    const auto is_lua = [](const fs::directory_entry& entry) {
        return entry.path().extension() == ".lua" && entry.is_regular_file();
    };
    if (recursively) {
        for (const auto& entry : fs::recursive_directory_iterator(folder, error))
            if (is_lua(entry)) return true;
    } else {
        for (const auto& entry : fs::directory_iterator(folder, error))
            if (is_lua(entry)) return true;
    }
    return false;
}

/// A command line value as JSON: a number or a boolean stays one.
std::string as_json(const std::string& text) {
    double number = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
    const bool is_number = error == std::errc() && end == text.data() + text.size() &&
                           text.find_first_not_of("-0123456789.eE+") == std::string::npos;
    return is_number || text == "true" || text == "false" ? text : json_string(text);
}

/// "." and "x/" have a name, too.
fs::path real_path(const fs::path& folder) {
    std::error_code error;
    return fs::canonical(folder, error);
}

script::App make_app(const fs::path& folder, const fs::path& shared,
                     std::shared_ptr<const SettingsFile> file, const Overrides& overrides) {
    script::App app;
    app.name = real_path(folder).filename().string();
    app.folder = folder;
    app.shared = shared;
    app.setting = std::make_shared<const std::function<std::optional<std::string>(std::string_view)>>(
        [file = std::move(file), overrides](std::string_view name) -> std::optional<std::string> {
            const std::string key = "settings." + std::string(name);
            for (auto it = overrides.rbegin(); it != overrides.rend(); ++it)
                if (it->first == key) return as_json(it->second);
            return file->script_setting(name);
        });
    return app;
}

/// An unreadable file is noted and taken as an empty one.
std::shared_ptr<const SettingsFile> read_file(const fs::path& path, std::vector<Error>& errors) {
    auto read = SettingsFile::read(path);
    if (read) return std::make_shared<const SettingsFile>(*std::move(read));
    errors.push_back(read.error());
    return std::make_shared<const SettingsFile>();
}

Result<void> check_folder(const fs::path& dir) {
    std::error_code error;
    if (fs::is_directory(dir, error)) return {};
    return Error{"scripts folder \"" + dir.string() + "\" does not exist"};
}

/// The folders of the apps: `dir` itself if Lua files lie in it, else those directly below it.
std::vector<fs::path> app_folders(const fs::path& dir) {
    if (holds_lua(dir, false)) return {dir};
    std::error_code error;
    std::vector<fs::path> folders;
    for (const auto& entry : fs::directory_iterator(dir, error)) {
        const std::string name = entry.path().filename().string();
        if (entry.is_directory() && !name.starts_with('.') && name != kSharedName &&
            holds_lua(entry.path(), true))
            folders.push_back(entry.path());
    }
    std::sort(folders.begin(), folders.end());
    return folders;
}

/// In the folder of the apps, or beside an app that is run alone. There may be anything of that
/// name there: it is ours if Lua files lie directly in it, and else not looked through.
fs::path shared_folder(const fs::path& dir) {
    if (!holds_lua(dir, false)) return dir / kSharedName;
    fs::path beside = real_path(dir).parent_path() / kSharedName;
    return holds_lua(beside, false) ? beside : fs::path();
}

std::vector<script::App> find_apps(const fs::path& dir, const fs::path& shared,
                                   const std::shared_ptr<const SettingsFile>& root,
                                   const Overrides& overrides,
                                   const std::vector<std::string>& store_kinds,
                                   std::vector<Error>& errors) {
    std::vector<script::App> apps;
    for (const fs::path& folder : app_folders(dir)) {
        std::shared_ptr<const SettingsFile> file = root;
        if (folder != dir) {
            file = read_file(folder / kFileName, errors);
            const Settings own = resolve_settings(*file, {}, errors);
            // Plugins of its own, and what they provide, are only known when it is run alone.
            if (own.plugins.load.empty())
                if (auto known = check_store_kind(own, store_kinds); !known)
                    errors.push_back(known.error());
        }
        apps.push_back(make_app(folder, shared, std::move(file), overrides));
    }
    return apps;
}

/// What they offer is in every namespace's reach.
void load_plugins(Configuration& configuration, std::vector<Error>& errors) {
    plugin::Plugins& plugins = *configuration.plugins;
    auto failures = plugins.load(configuration.settings.plugins);
    if (failures.empty()) {
        const auto kinds = plugins.provisions().store_kinds();
        if (auto known = check_store_kind(configuration.settings, kinds); !known)
            failures.push_back(known.error());
    }
    for (Error& error : failures) errors.push_back(std::move(error));
    auto extensions = std::make_shared<script::Extensions>();
    extensions->modules = plugins.provisions().modules();
    extensions->authenticator = plugins.provisions().authenticator();
    configuration.settings.script_limits.extensions = std::move(extensions);
}

}  // namespace

std::vector<script::App> Configuration::apps_to_test() const {
    std::vector<script::App> all = apps;
    std::error_code error;
    if (fs::is_directory(shared, error) && fs::equivalent(shared.parent_path(), dir, error))
        all.push_back(make_app(shared, shared, std::make_shared<const SettingsFile>(), {}));
    return all;
}

Result<Configuration> configure(const fs::path& dir, const Overrides& overrides) {
    std::vector<Error> errors;
    Configuration configuration = configure(dir, overrides, errors);
    if (!errors.empty()) return errors.front();
    return configuration;
}

Configuration configure(const fs::path& dir, const Overrides& overrides,
                        std::vector<Error>& errors) {
    Configuration configuration;
    if (auto there = check_folder(dir); !there) {
        errors.push_back(there.error());
        return configuration;
    }
    const auto root = read_file(dir / kFileName, errors);
    configuration.settings = resolve_settings(*root, overrides, errors);
    if (errors.empty()) load_plugins(configuration, errors);

    configuration.dir = dir;
    configuration.shared = shared_folder(dir);
    const auto find = [dir, root, overrides, demo = configuration.settings.demo,
                       kinds = configuration.plugins->provisions().store_kinds()](
                          std::vector<Error>& errors) {
        auto apps = find_apps(dir, shared_folder(dir), root, overrides, kinds, errors);
        for (script::App& app : apps) app.demo = demo;
        return apps;
    };
    configuration.apps = find(errors);
    if (configuration.apps.empty()) errors.push_back({"no Lua files in \"" + dir.string() + "\""});
    configuration.find_apps = [dir, find]() -> Result<std::vector<script::App>> {
        if (auto there = check_folder(dir); !there) return there.error();
        std::vector<Error> errors;
        auto apps = find(errors);
        if (!errors.empty()) return errors.front();
        return apps;
    };
    return configuration;
}

}  // namespace moonwire::server
