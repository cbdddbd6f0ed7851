#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <variant>
#include <vector>

namespace moonwire::plugin {

/// A value of a plugin's settings before a getter gives it a meaning.
struct SettingNode {
    using List = std::vector<SettingNode>;
    using Table = std::map<std::string, SettingNode>;
    std::variant<bool, std::int64_t, double, std::string, List, Table> value = Table();
    std::string where = {};   // "moonwire.toml:7", "command line"
    std::string folder = {};  // where relative paths start; empty: in the current one
    bool overriding = false;  // given on the command line: a text whatever it stands for
};

}  // namespace moonwire::plugin
