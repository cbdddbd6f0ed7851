#include "core/server/plugin_settings.hpp"

#include <utility>

namespace moonwire::server {
namespace {

constexpr std::string_view kPrefix = "plugins.";

}  // namespace

std::string_view plugin_table_of(std::string_view key) {
    if (!key.starts_with(kPrefix)) return {};
    const std::size_t dot = key.find('.', kPrefix.size());
    return dot == key.npos || dot + 1 == key.size() ? std::string_view() : key.substr(0, dot);
}

void override_plugin_setting(plugin::PluginSettings& settings, std::string_view key,
                             std::string text, std::string where) {
    using plugin::SettingNode;
    const std::string_view table = plugin_table_of(key);
    SettingNode* node = &settings.tables[std::string(table.substr(kPrefix.size()))];
    std::string_view rest = key.substr(table.size());
    while (!rest.empty()) {
        rest.remove_prefix(1);
        const std::string_view part = rest.substr(0, rest.find('.'));
        rest.remove_prefix(part.size());
        if (!std::holds_alternative<SettingNode::Table>(node->value))
            node->value = SettingNode::Table();
        if (node->where.empty()) node->where = where;
        node = &std::get<SettingNode::Table>(node->value)[std::string(part)];
    }
    *node = {std::move(text), std::move(where), {}, true};
}

}  // namespace moonwire::server
