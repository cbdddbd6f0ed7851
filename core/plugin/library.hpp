#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "core/base/result.hpp"
#include "core/plugin/api/plugin.hpp"

namespace moonwire::plugin {

/// A plugin's library in this process, where it stays: nothing is unloaded, for threads, exceptions
/// and objects of its types may outlive whoever asked.
struct Library {
    std::filesystem::path path;
    const Descriptor* descriptor;

    std::string name() const { return descriptor->name; }
    /// The plugins that it needs before it.
    std::vector<std::string> needs() const;
};

/// The file of what `plugins.load` names: a path if there is a '/' in it, else NAME.so in the first
/// of the folders that has it, there or in a folder NAME (as a build leaves it).
Result<std::filesystem::path> find_library(const std::string& wanted,
                                           const std::vector<std::filesystem::path>& folders);

/// Where plugins lie beside this binary: in the build folder, and where both are installed.
std::vector<std::filesystem::path> plugin_folders();

/// Opens it and looks whether it was built like this binary, before anything in it is called (but
/// for the initialisers that the system's loader runs). An error names the file and what differs.
Result<Library> open_library(const std::filesystem::path& path);

/// What is wrong with a descriptor; nothing if this binary can use it.
Result<void> check_descriptor(const Descriptor& descriptor);

}  // namespace moonwire::plugin
