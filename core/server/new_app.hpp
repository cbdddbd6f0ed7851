#pragma once

#include <filesystem>
#include <span>
#include <string>
#include <vector>

#include "core/base/embedded_file.hpp"
#include "core/base/result.hpp"

namespace moonwire::server {

/// The files of a new app, with {{name}} for its name and {{Type}} for what `moonwire types` calls
/// its namespace.
std::span<const EmbeddedFile> new_app_files();

/// Makes the app's folder below `scripts` (which is made, too, if it is missing) and returns the
/// files in it. Refuses names that would not do for a folder, a namespace and a setting, and folders
/// that exist.
Result<std::vector<std::filesystem::path>> make_app(const std::filesystem::path& scripts,
                                                    const std::string& name);

}  // namespace moonwire::server
