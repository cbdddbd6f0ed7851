#include "core/plugin/library.hpp"

#include <dlfcn.h>

#include <algorithm>
#include <cctype>
#include <cstddef>
#include <cstring>
#include <string_view>
#include <system_error>

namespace moonwire::plugin {
namespace fs = std::filesystem;
namespace {

static_assert(std::string_view(kMoonwireVersion) == MOONWIRE_VERSION,
              "core/plugin/api/version.hpp says another version than meson.build");

constexpr char kMagic[8] = MOONWIRE_PLUGIN_MAGIC;
// What is in the settings beside the plugins' tables.
constexpr std::string_view kReservedNames[] = {"load", "path"};

bool is_name(std::string_view name) {
    const bool plain = std::all_of(name.begin(), name.end(), [](unsigned char c) {
        return std::isalnum(c) || c == '-' || c == '_';
    });
    return !name.empty() && plain &&
           std::find(std::begin(kReservedNames), std::end(kReservedNames), name) ==
               std::end(kReservedNames);
}

bool is_file(const fs::path& path) {
    std::error_code error;
    return fs::is_regular_file(path, error);
}

}  // namespace

std::vector<std::string> Library::needs() const {
    std::vector<std::string> names;
    for (const char* const* name = descriptor->requires_; *name; ++name) names.emplace_back(*name);
    return names;
}

Result<fs::path> find_library(const std::string& wanted, const std::vector<fs::path>& folders) {
    if (wanted.find('/') != wanted.npos) {
        if (is_file(wanted)) return fs::path(wanted);
        return Error{"no file \"" + wanted + "\""};
    }
    if (!is_name(wanted)) return Error{"\"" + wanted + "\" is neither a plugin's name nor a path"};
    const std::string file = wanted + ".so";
    std::string tried;
    for (const fs::path& folder : folders) {
        for (const fs::path& path : {folder / file, folder / wanted / file})
            if (is_file(path)) return path;
        tried += (tried.empty() ? "" : ", ") + folder.string();
    }
    return Error{"no " + file + " in " + tried};
}

std::vector<fs::path> plugin_folders() {
    std::error_code error;
    const fs::path binary = fs::read_symlink("/proc/self/exe", error);
    if (error) return {};
    const fs::path here = binary.parent_path();
    return {here / "plugins", (here / MOONWIRE_PLUGIN_FOLDER).lexically_normal()};
}

Result<Library> open_library(const fs::path& path) {
    const std::string file = path.string();
    // A path without '/' would be sought where the system's libraries are.
    void* handle = dlopen(fs::absolute(path).c_str(), RTLD_NOW | RTLD_LOCAL);
    if (!handle) {
        std::string why = dlerror();
        const std::string prefix = fs::absolute(path).string() + ": ";
        if (why.starts_with(prefix)) why.erase(0, prefix.size());
        return Error{file + ": " + why};
    }
    const auto* descriptor = static_cast<const Descriptor*>(dlsym(handle, "moonwire_plugin"));
    if (!descriptor)
        return Error{file + ": not a plugin: it has no symbol moonwire_plugin (MOONWIRE_PLUGIN)"};
    if (auto checked = check_descriptor(*descriptor); !checked)
        return Error{file + ": " + checked.error().message};
    return Library{path, descriptor};
}

Result<void> check_descriptor(const Descriptor& descriptor) {
    if (std::memcmp(descriptor.magic, kMagic, sizeof kMagic) != 0)
        return Error{"not a plugin: what its symbol moonwire_plugin leads to is something else"};
    if (descriptor.size < offsetof(Descriptor, build)) return Error{"its descriptor is cut short"};
    if (std::string_view(descriptor.moonwire) != kMoonwireVersion)
        return Error{"built for Moonwire " + std::string(descriptor.moonwire) + ", and this is " +
                     kMoonwireVersion};
    if (descriptor.version != kDescriptorVersion || descriptor.size != sizeof(Descriptor))
        return Error{"built for interface " + std::to_string(descriptor.version) + " of Moonwire " +
                     kMoonwireVersion + ", and this has interface " +
                     std::to_string(kDescriptorVersion) + ": build it anew"};
    if (std::string_view(descriptor.build) != kBuildSignature)
        return Error{"built with " + std::string(descriptor.build) + ", and Moonwire with " +
                     kBuildSignature};
    if (!is_name(descriptor.name))
        return Error{"\"" + std::string(descriptor.name) + "\" can't be a plugin's name"};
    return {};
}

}  // namespace moonwire::plugin
