#pragma once

#include <string>
#include <string_view>

#include "core/plugin/plugins.hpp"

namespace moonwire::server {

/// "plugins.jwt" of "plugins.jwt.keys.main"; empty if it is no key of a plugin's table.
std::string_view plugin_table_of(std::string_view key);

/// Puts what the command line gave for "plugins.NAME.KEY" where the file may have had something
/// else.
void override_plugin_setting(plugin::PluginSettings& settings, std::string_view key,
                             std::string text, std::string where);

}  // namespace moonwire::server
