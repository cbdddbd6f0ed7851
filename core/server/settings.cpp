#include "core/server/settings.hpp"

#include <toml++/toml.h>

#include <algorithm>
#include <cctype>
#include <cstdlib>
#include <fstream>
#include <sstream>

#include "core/base/json_text.hpp"
#include "core/server/namespace_settings.hpp"
#include "core/server/plugin_settings.hpp"
#include "core/server/setting_keys.hpp"

extern char** environ;

namespace moonwire::server {
namespace {

constexpr std::string_view kEnvironmentPrefix = "MOONWIRE_";
constexpr std::string_view kNamespaces = "namespaces.";

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
    if (const auto* array = node.as_array(); array && !array->empty() && array->get_as<toml::table>(0)) {
        std::vector<SettingTable> tables;
        for (const toml::node& item : *array) {
            const toml::table* table = item.as_table();
            if (!table) return Error{"expected tables only"};
            SettingTable& entries = tables.emplace_back();
            for (const auto& [name, entry] : *table) {
                auto value = to_value(entry);
                if (!value) return value.error();
                const auto* text = std::get_if<std::string>(&*value);
                if (!text) return Error{std::string(name.str()) + ": expected a string"};
                entries[std::string(name.str())] = *text;
            }
        }
        return SettingValue(std::move(tables));
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

/// A name's alias, or a key of its own table: `namespaces./heavy.dedicated`.
Result<void> apply_namespace(Settings& settings, std::string_view where, std::string_view key,
                             const SettingValue& value) {
    const std::string_view name = key.substr(kNamespaces.size());
    const auto* target = std::get_if<std::string>(&value);
    const bool is_alias = target && target->starts_with('/');
    const std::size_t dot = name.rfind('.');
    if (!is_alias && dot != name.npos && name.starts_with('/')) {
        auto applied = apply_namespace_setting(
            settings.namespaces[std::string(name.substr(0, dot))], name.substr(dot + 1), value);
        if (!applied) return located(where, key, applied.error().message);
        return {};
    }
    if (!is_alias)
        return located(where, key, "expected the name of a namespace, as in \"/\" = \"/tickets\"");
    settings.aliases[std::string(name)] = *target;
    return {};
}

Result<void> apply(Settings& settings, std::string_view where, std::string_view key,
                   const SettingValue& value) {
    if (key.starts_with(kNamespaces)) return apply_namespace(settings, where, key, value);
    if (key.starts_with("settings.")) return {};  // read by the scripts, when they ask
    if (const auto* text = std::get_if<std::string>(&value);
        text && !plugin_table_of(key).empty()) {
        override_plugin_setting(settings.plugins, key, *text, std::string(where));
        return {};
    }
    if (const SettingKey* known = find_setting(key)) {
        if (key.starts_with("server.tls.")) settings.tls.mentioned = true;
        if (key == "plugins.load") settings.plugins.load_where = where;
        if (key == "store.kind") settings.store_kind_where = where;
        if (auto applied = known->apply(settings, value); !applied)
            return located(where, key, applied.error().message);
        return {};
    }
    return located(where, key, "unknown setting");
}

/// MOONWIRE_SERVER_PORT for "server.port".
std::string variable_of(std::string_view key) {
    std::string name(kEnvironmentPrefix);
    for (const char c : key)
        name += c == '.' ? '_' : static_cast<char>(std::toupper(static_cast<unsigned char>(c)));
    return name;
}

void note(std::vector<Error>& errors, const Result<void>& result) {
    if (!result) errors.push_back(result.error());
}

void apply_environment(Settings& settings, std::vector<Error>& errors) {
    for (const SettingKey& key : setting_keys()) {
        const std::string name = variable_of(key.name);
        const char* value = std::getenv(name.c_str());
        if (value) note(errors, apply(settings, name, key.name, SettingValue(std::string(value))));
    }
}

/// What concerns more than one key of [server].
Result<void> complete_listeners(Settings& settings) {
    transport::TlsOptions& tls = settings.transport.tls;
    const TlsFiles& files = settings.tls;
    if (files.mentioned && !files.certificate)
        return Error{"server.tls.certificate: expected a file; empty switches TLS off"};
    if (files.certificate && !files.certificate->empty()) {
        tls.certificates = {{*files.certificate, files.key}};
        tls.certificates.insert(tls.certificates.end(), files.more.begin(), files.more.end());
    }
    const bool wants_client = tls.client_certificate != transport::ClientCertificate::none;
    if (wants_client && tls.client_ca.empty())
        return Error{"server.tls.client_ca: client certificates need their authorities' file"};
    if (!wants_client && !tls.client_ca.empty())
        return Error{"server.tls.client_ca: not used unless server.tls.client_certificate is "
                     "optional or required"};
    if (!settings.transport.plain && settings.transport.unix_path.empty() && !tls.enabled())
        return Error{"server.plain: without it there is nothing to listen on"};
    return {};
}

/// A second's worth is given a second, and some seconds' worth may come at once.
void complete_rates(Settings& settings) {
    const double seconds = settings.rate_burst_seconds;
    const auto rate = [seconds](auto per_second) {
        return per_second == 0 ? Rate() : Rate(static_cast<double>(per_second) * seconds, seconds);
    };
    settings.engine.handshakes_per_ip = rate(settings.per_second.handshakes);
    settings.socketio.inbound.events = rate(settings.per_second.events);
    settings.socketio.inbound.bytes = rate(settings.per_second.bytes);
}

Result<void> check_threads(const Settings& settings) {
    const auto dedicated =
        std::count_if(settings.namespaces.begin(), settings.namespaces.end(),
                      [](const auto& each) { return each.second.dedicated; });
    if (std::max(settings.threads, 1u) + dedicated > 200)
        return Error{"namespaces: with those that are dedicated there are more than 200 threads"};
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

    void apply_to(Settings& settings, std::vector<Error>& errors) const {
        for (const auto& [section, node] : table) {
            const toml::table* keys = node.as_table();
            if (section.str() == "settings") {  // the scripts' own
                std::string json;
                if (auto valid = append_json(json, node); !valid)
                    errors.push_back(located(where(node), "settings", valid.error().message));
            } else if (!keys) {
                errors.push_back(located(where(node), section.str(), "unknown setting"));
            } else {
                apply_table(settings, std::string(section.str()), *keys, errors);
            }
        }
    }

    void apply_table(Settings& settings, const std::string& table_name, const toml::table& keys,
                     std::vector<Error>& errors) const {
        for (const auto& [name, node] : keys) {
            const std::string key = table_name + "." + std::string(name.str());
            const bool is_namespace = table_name == "namespaces" && name.str().starts_with('/');
            if (table_name == "plugins" && node.is_table()) {
                settings.plugins.tables[std::string(name.str())] = plugin_node(node, key, errors);
                continue;
            }
            if (const auto* inner = node.as_table();
                inner && (is_namespace || is_setting_table(key)))
                apply_table(settings, key, *inner, errors);
            else note(errors, apply_key(settings, key, name, node));
        }
    }

    Result<void> apply_key(Settings& settings, const std::string& key, const toml::key& name,
                           const toml::node& node) const {
        const std::string at = path + ":" + std::to_string(name.source().begin.line);
        const SettingKey* known = find_setting(key);
        if (!known && !key.starts_with(kNamespaces)) return located(at, key, "unknown setting");
        auto value = to_value(node);
        if (!value) return located(at, key, value.error().message);
        if (known && known->is_path) resolve_paths(*value, known->or_name);
        return apply(settings, at, key, *value);
    }

    /// A plugin's settings, for it to judge.
    plugin::SettingNode plugin_node(const toml::node& node, const std::string& key,
                                    std::vector<Error>& errors) const {
        using plugin::SettingNode;
        SettingNode made;
        made.where = where(node);
        made.folder = std::filesystem::path(path).parent_path().string();
        if (const auto* table = node.as_table()) {
            SettingNode::Table children;
            for (const auto& [name, child] : *table) {
                const std::string inner(name.str());
                children[inner] = plugin_node(child, key + "." + inner, errors);
                children[inner].where = path + ":" + std::to_string(name.source().begin.line);
            }
            made.value = std::move(children);
        } else if (const auto* array = node.as_array()) {
            SettingNode::List items;
            for (const toml::node& item : *array) items.push_back(plugin_node(item, key, errors));
            made.value = std::move(items);
        } else if (auto value = to_value(node); !value) {
            errors.push_back(located(made.where, key, value.error().message));
        } else {
            std::visit(
                [&](auto& plain) {
                    if constexpr (std::is_constructible_v<decltype(made.value), decltype(plain)>)
                        made.value = plain;
                },
                *value);
        }
        return made;
    }

    /// Relative paths start where this file lies.
    void resolve_paths(SettingValue& value, bool or_name) const {
        const std::filesystem::path folder = std::filesystem::path(path).parent_path();
        const auto resolve = [&](std::string& text) {
            if (!text.empty() && !(or_name && text.find('/') == text.npos))
                text = (folder / text).string();
        };
        if (auto* list = std::get_if<std::vector<std::string>>(&value))
            for (std::string& text : *list) resolve(text);
        if (auto* text = std::get_if<std::string>(&value)) resolve(*text);
        if (auto* tables = std::get_if<std::vector<SettingTable>>(&value))
            for (SettingTable& table : *tables)
                for (auto& [name, text] : table) resolve(text);
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

Result<void> check_store_kind(const Settings& settings, const std::vector<std::string>& plugins) {
    std::vector<std::string> kinds(std::begin(plugin::kBuiltInStores),
                                   std::end(plugin::kBuiltInStores));
    kinds.insert(kinds.end(), plugins.begin(), plugins.end());
    std::string expected;
    for (const std::string& kind : kinds) {
        if (kind == settings.store_kind) return {};
        expected += (expected.empty() ? "" : &kind == &kinds.back() ? " or " : ", ") + kind;
    }
    return located(settings.store_kind_where, "store.kind",
                   "no store \"" + settings.store_kind + "\", expected " + expected);
}

Settings resolve_settings(const SettingsFile& file, const Overrides& overrides,
                          std::vector<Error>& errors) {
    Settings settings;
    const std::size_t before = errors.size();
    file.impl_->apply_to(settings, errors);
    apply_environment(settings, errors);
    for (const auto& [key, value] : overrides)
        note(errors, apply(settings, "command line", key, SettingValue(value)));
    if (errors.size() == before) {
        note(errors, complete_listeners(settings));
        note(errors, check_threads(settings));
    }
    complete_rates(settings);
    settings.socketio.nsp.recovery.detection =
        settings.engine.ping_interval + settings.engine.ping_timeout;
    settings.engine.cors = engineio::CorsPolicy(settings.cors_origins, settings.cors_credentials);
    return settings;
}

Result<Settings> resolve_settings(const SettingsFile& file, const Overrides& overrides) {
    std::vector<Error> errors;
    Settings settings = resolve_settings(file, overrides, errors);
    if (!errors.empty()) return errors.front();
    return settings;
}

}  // namespace moonwire::server
