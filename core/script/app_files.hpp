#pragma once

#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "core/script/host.hpp"

namespace moonwire::script {

/// One Lua file as it was read.
struct ScriptFile {
    std::string path;  // app name and path below its folder: "orders/lib/geo.lua"
    std::string source;
};

/// An app's text at one moment. Immutable and shared, so a generation never mixes versions: what it
/// requires later is what lay there when it was loaded.
struct AppSources {
    App app;
    std::map<std::string, ScriptFile, std::less<>> modules;  // by name: "lib.geo"
};

/// The files of one namespace, in path order.
struct NamespaceSources {
    std::string name;  // "/events", or a family: "/tenant/:name"
    std::shared_ptr<const AppSources> app;
    std::vector<ScriptFile> files;
};

struct FoundScripts {
    std::map<std::string, NamespaceSources> namespaces;
    std::vector<std::shared_ptr<const AppSources>> apps;  // those whose folder could be read
    std::vector<LoadError> errors;  // of files left out
};

/// Reads every `*.lua` below the apps' folders, in path order; `*_test.lua`, `public` and hidden
/// folders are skipped, and so are symbolic links to folders or out of the app's folder.
FoundScripts find_scripts(const std::vector<App>& apps);

}  // namespace moonwire::script
