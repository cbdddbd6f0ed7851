#include "core/server/settings.hpp"

#include <toml++/toml.h>

#include <cctype>
#include <cstdlib>
#include <fstream>
#include <sstream>

#include "core/base/json_text.hpp"
#include "core/server/setting_keys.hpp"

extern char** environ;

namespace moonwire::server {
namespace {

constexpr std::string_view kEnvironmentPrefix = "MOONWIRE_";

/// `${NAME}` and `${NAME:-default}`, as a shell has them (an empty variable takes the default too).
Result<std::string> substitute(std::string_view text) {
    std::string result;
    for (;;) {
        const std::size_t start = text.find("${");
        result += text.substr(0, start);
        if (start == std::string_view::npos) return result;
        const std::size_t end = text.find('}', start);
        if (end == std::string_view::npos) return Error{"\"${\" without \"}\""};
        const std::string_view inside = text.substr(start + 2, end - start - 2);
        const std::size_t colon = inside.find(":-");
        const std::string name(inside.substr(0, colon));
        const char* value = std::getenv(name.c_str());
        if (value && (*value || colon == std::string_view::npos)) {
            result += value;
        } else if (colon != std::string_view::npos) {
            result += inside.substr(colon + 2);
        } else {
            return Error{"variable " + name + " is not set and has no default"};
        }
        text.remove_prefix(end + 1);
    }
}

Result<SettingValue> to_value(const toml::node& node) {
    if (const auto* boolean = node.as_boolean()) return SettingValue(boolean->get());
    if (const auto* integer = node.as_integer()) return SettingValue(integer->get());
    if (const auto* number = node.as_floating_point()) return SettingValue(number->get());
    if (const auto* text = node.as_string()) {
        auto substituted = substitute(text->get());
        if (!substituted) return substituted.error();
        return SettingValue(*std::move(substituted));
    }
    if (const auto* array = node.as_array()) {
        std::vector<std::string> list;
        for (const toml::node& item : *array) {
            auto value = to_value(item);
            if (!value) return value.error();
            if (!std::holds_alternative<std::string>(*value))
                return Error{"expected a list of strings"};
            list.push_back(std::get<std::string>(*value));
        }
        return SettingValue(std::move(list));
    }
    return Error{"unexpected kind of value"};
}

Result<void> append_json(std::string& out, const toml::node& node) {
    if (const auto* table = node.as_table()) {
        out += '{';
        for (const auto& [key, child] : *table) {
            if (out.back() != '{') out += ',';
            append_json_string(out, key.str());
            out += ':';
            if (auto done = append_json(out, child); !done) return done;
        }
        out += '}';
    } else if (const auto* array = node.as_array()) {
        out += '[';
        for (const toml::node& item : *array) {
            if (out.back() != '[') out += ',';
            if (auto done = append_json(out, item); !done) return done;
        }
        out += ']';
    } else if (const auto* text = node.as_string()) {
        auto substituted = substitute(text->get());
        if (!substituted) return substituted.error();
        append_json_string(out, *substituted);
    } else if (const auto* boolean = node.as_boolean()) {
        out += boolean->get() ? "true" : "false";
    } else if (const auto* integer = node.as_integer()) {
        out += std::to_string(integer->get());
    } else if (const auto* number = node.as_floating_point()) {
        std::ostringstream digits;
        digits.precision(17);
        digits << number->get();
        out += digits.str();
    } else {
        std::ostringstream date;
        node.visit([&](const auto& value) {
            if constexpr (!toml::is_table<decltype(value)> && !toml::is_array<decltype(value)>)
                date << value.get();
        });
        append_json_string(out, date.str());
    }
    return {};
}

Error located(std::string_view where, std::string_view key, std::string_view what) {
    return Error{std::string(where) + ": " + std::string(key) + ": " + std::string(what)};
}

Result<void> apply(Settings& settings, std::string_view where, std::string_view key,
                   const SettingValue& value) {
    if (key.starts_with("namespaces.")) {
        const auto* target = std::get_if<std::string>(&value);
        if (!target || !target->starts_with('/'))
            return located(where, key, "expected the name of a namespace, as in \"/\" = \"/tickets\"");
        settings.aliases[std::string(key.substr(11))] = *target;
        return {};
    }
    if (key.starts_with("settings.")) return {};  // read by the scripts, when they ask
    if (const SettingKey* known = find_setting(key)) {
        if (auto applied = known->apply(settings, value); !applied)
            return located(where, key, applied.error().message);
        return {};
    }
    if (is_planned_setting(key)) return located(where, key, "not available in this version");
    return located(where, key, "unknown setting");
}

/// MOONWIRE_SERVER_PORT for "server.port".
std::string variable_of(std::string_view key) {
    std::string name(kEnvironmentPrefix);
    for (const char c : key)
        name += c == '.' ? '_' : static_cast<char>(std::toupper(static_cast<unsigned char>(c)));
    return name;
}

Result<void> apply_environment(Settings& settings) {
    for (const SettingKey& key : setting_keys()) {
        const std::string name = variable_of(key.name);
        const char* value = std::getenv(name.c_str());
        if (!value) continue;
        if (auto applied = apply(settings, name, key.name, SettingValue(std::string(value)));
            !applied)
            return applied;
    }
    return {};
}

}  // namespace

struct SettingsFile::Impl {
    std::string path;
    bool exists = false;
    toml::table table;

    std::string where(const toml::node& node) const {
        return path + ":" + std::to_string(node.source().begin.line);
    }

    Result<void> apply_to(Settings& settings) const {
        for (const auto& [section, node] : table) {
            if (section.str() == "settings") {  // the scripts' own
                std::string json;
                if (auto valid = append_json(json, node); !valid)
                    return located(where(node), "settings", valid.error().message);
                continue;
            }
            const toml::table* keys = node.as_table();
            if (!keys) return located(where(node), section.str(), "unknown setting");
            for (const auto& [name, value_node] : *keys) {
                const std::string key = std::string(section.str()) + "." + std::string(name.str());
                const std::string at =
                    path + ":" + std::to_string(name.source().begin.line);
                if (!find_setting(key) && section.str() != "namespaces") {
                    return located(at, key, is_planned_setting(key) ? "not available in this version"
                                                                    : "unknown setting");
                }
                auto value = to_value(value_node);
                if (!value) return located(at, key, value.error().message);
                if (auto applied = apply(settings, at, key, *value); !applied) return applied;
            }
        }
        return {};
    }
};

SettingsFile::SettingsFile() : impl_(std::make_unique<Impl>()) {}
SettingsFile::SettingsFile(SettingsFile&&) noexcept = default;
SettingsFile& SettingsFile::operator=(SettingsFile&&) noexcept = default;
SettingsFile::~SettingsFile() = default;

Result<SettingsFile> SettingsFile::read(const std::filesystem::path& path) {
    SettingsFile file;
    file.impl_->path = path.string();
    std::ifstream stream(path, std::ios::binary);
    if (!stream) return file;
    std::ostringstream text;
    text << stream.rdbuf();
    try {
        file.impl_->table = toml::parse(text.str(), path.string());
    } catch (const toml::parse_error& error) {
        return Error{path.string() + ":" + std::to_string(error.source().begin.line) + ": " +
                     std::string(error.description())};
    }
    file.impl_->exists = true;
    return file;
}

bool SettingsFile::exists() const noexcept { return impl_->exists; }

std::optional<std::string> SettingsFile::script_setting(std::string_view name) const {
    const toml::table* settings = impl_->table["settings"].as_table();
    if (!settings) return std::nullopt;
    const auto node = settings->at_path(name);
    if (!node) return std::nullopt;
    std::string json;
    if (!append_json(json, *node.node())) return std::nullopt;
    return json;
}

Result<Settings> resolve_settings(const SettingsFile& file, const Overrides& overrides) {
    Settings settings;
    if (auto applied = file.impl_->apply_to(settings); !applied) return applied.error();
    if (auto applied = apply_environment(settings); !applied) return applied.error();
    for (const auto& [key, value] : overrides) {
        if (auto applied = apply(settings, "command line", key, SettingValue(value)); !applied)
            return applied.error();
    }
    settings.engine.cors = engineio::CorsPolicy(settings.cors_origins, settings.cors_credentials);
    return settings;
}

}  // namespace moonwire::server
