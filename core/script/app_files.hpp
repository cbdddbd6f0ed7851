#pragma once

#include <map>
#include <memory>
#include <mutex>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "core/script/host.hpp"

namespace moonwire::script {

/// One Lua file as it was read.
struct ScriptFile {
    std::string path;  // app name and path below its folder: "orders/lib/geo.lua"
    std::string source;
    std::string bytecode = {};  // what Vm::compile made of it, for who loads it often; or empty

    bool operator==(const ScriptFile&) const = default;
};

/// An app's text at one moment. Immutable and shared, so a generation never mixes versions: what it
/// requires later is what lay there when it was loaded.
struct AppSources {
    App app;
    std::map<std::string, ScriptFile, std::less<>> modules;  // by name: "lib.geo", "shared.roles"
};

/// The names of the modules that a namespace's code has asked for, found or not: with its files,
/// what it depends on. Grows as long as the code runs. Any thread.
class UsedModules {
public:
    void add(const std::string& name) {
        std::lock_guard lock(mutex_);
        names_.insert(name);
    }
    std::set<std::string> names() const {
        std::lock_guard lock(mutex_);
        return names_;
    }

private:
    mutable std::mutex mutex_;
    std::set<std::string> names_;
};

/// The files of one namespace, in path order.
struct NamespaceSources {
    std::string name;  // "/events", or a family: "/tenant/:name"
    std::shared_ptr<const AppSources> app;
    std::vector<ScriptFile> files;
    std::shared_ptr<UsedModules> used = std::make_shared<UsedModules>();
};

/// Whether code made of `now` would be the code made of `before`: its files are the same, and so
/// are the modules that it has asked for.
bool is_same_code(const NamespaceSources& before, const NamespaceSources& now);

/// In an app's folder: loaded only if its demo is on.
inline constexpr const char* kDemoFile = "demo.lua";

struct FoundScripts {
    std::map<std::string, NamespaceSources> namespaces;
    std::vector<std::shared_ptr<const AppSources>> apps;  // those whose folder could be read
    std::map<std::string, ScriptFile, std::less<>> shared;  // those of the modules that no app owns
    std::vector<LoadError> errors;  // of files left out
};

/// Reads every `*.lua` below the apps' folders, in path order; `*_test.lua`, `public` and hidden
/// folders are skipped, and so are symbolic links to folders or out of the app's folder, and
/// kDemoFile unless the app's demo is on. Then the modules that the apps share; an app with a
/// folder `shared` of its own has that one instead. What is removed meanwhile is taken as gone.
FoundScripts find_scripts(const std::vector<App>& apps);

/// What `require` calls a file, given its path below the app's folder: "lib/geo.lua" -> "lib.geo".
std::string module_name(const std::filesystem::path& relative);

/// An app and its tests. The app may be the shared folder itself.
struct FoundTests {
    FoundScripts scripts;  // and a namespace that a `*_test.lua` calls: only the tests have it
    std::vector<ScriptFile> tests;  // the other `*_test.lua`, in path order
    std::vector<LoadError> errors;  // of tests left out
};

/// Reads what find_scripts does and the `*_test.lua`.
FoundTests find_tests(const App& app);

}  // namespace moonwire::script
