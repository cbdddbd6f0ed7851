#pragma once

#include <map>
#include <span>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "core/base/result.hpp"
#include "core/server/settings.hpp"

namespace moonwire::server {

/// A table within a list, as in [[server.tls.certificates]].
using SettingTable = std::map<std::string, std::string>;

/// A setting's value before its key gives it a meaning. Text from the environment or the command
/// line is converted by the key.
using SettingValue = std::variant<bool, std::int64_t, double, std::string, std::vector<std::string>,
                                  std::vector<SettingTable>>;

/// One key that moonwire.toml may have: its name and what it does to the settings.
struct SettingKey {
    std::string_view name;  // "server.port"
    /// An error says what was expected, without naming key or source.
    Result<void> (*apply)(Settings&, const SettingValue&);
    /// Its texts are paths: relative ones start where moonwire.toml lies, if they come from there.
    bool is_path = false;
    /// But those without a '/' are names.
    bool or_name = false;
};

/// The whole vocabulary but [namespaces] and [settings], whose keys are the user's.
std::span<const SettingKey> setting_keys();
const SettingKey* find_setting(std::string_view name);
/// Whether keys begin with this name and a dot, as those of [server.tls] do.
bool is_setting_table(std::string_view name);

}  // namespace moonwire::server
