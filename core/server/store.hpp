#pragma once

#include <filesystem>
#include <memory>
#include <string>

#include "core/plugin/api/store.hpp"
#include "core/plugin/provisions.hpp"
#include "core/server/settings.hpp"

namespace moonwire::server {

/// The store that the settings name, not started, for the scripts in this folder. Its kind has been
/// checked; a plugin's is made and started once the plugins are, and closed before they stop.
std::unique_ptr<plugin::Store> make_store(const Settings& settings,
                                          const std::filesystem::path& dir,
                                          const plugin::Provisions& provisions);

/// Where a store is kept that no setting names: below $STATE_DIRECTORY (as systemd sets it for a
/// service), else below $XDG_STATE_HOME or ~/.local/state, a file for each scripts folder.
std::string default_store_path(const std::filesystem::path& dir);

}  // namespace moonwire::server
