#pragma once

#include <string_view>

#include "core/server/setting_keys.hpp"

namespace moonwire::server {

/// Whether `name` is a key of a table of [namespaces], as in [namespaces."/heavy"].
bool is_namespace_setting(std::string_view name);
/// An error says what was expected, without naming key or source.
Result<void> apply_namespace_setting(NamespaceSettings& settings, std::string_view name,
                                     const SettingValue& value);

}  // namespace moonwire::server
