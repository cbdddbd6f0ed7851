#include "core/server/setting_keys.hpp"

#include <algorithm>
#include <charconv>
#include <cstdint>
#include <limits>

namespace moonwire::server {
namespace {

Result<std::int64_t> to_integer(const SettingValue& value, std::int64_t min, std::int64_t max) {
    std::optional<std::int64_t> number;
    if (const auto* integer = std::get_if<std::int64_t>(&value)) number = *integer;
    if (const auto* text = std::get_if<std::string>(&value)) {
        std::int64_t parsed = 0;
        const auto [end, error] = std::from_chars(text->data(), text->data() + text->size(), parsed);
        if (error == std::errc() && end == text->data() + text->size()) number = parsed;
    }
    if (!number || *number < min || *number > max) {
        std::string expected = "expected a whole number";
        if (max == std::numeric_limits<std::int64_t>::max())
            expected += " of at least " + std::to_string(min);
        else expected += " from " + std::to_string(min) + " to " + std::to_string(max);
        return Error{expected};
    }
    return *number;
}

Result<bool> to_boolean(const SettingValue& value) {
    if (const auto* boolean = std::get_if<bool>(&value)) return *boolean;
    if (const auto* text = std::get_if<std::string>(&value)) {
        if (*text == "true" || *text == "1" || *text == "on") return true;
        if (*text == "false" || *text == "0" || *text == "off") return false;
    }
    return Error{"expected true or false"};
}

Result<std::string> to_text(const SettingValue& value) {
    if (const auto* text = std::get_if<std::string>(&value)) return *text;
    return Error{"expected a string"};
}

/// A list, or text with commas.
Result<std::vector<std::string>> to_list(const SettingValue& value) {
    if (const auto* list = std::get_if<std::vector<std::string>>(&value)) return *list;
    const auto* text = std::get_if<std::string>(&value);
    if (!text) return Error{"expected a list of strings"};
    std::vector<std::string> list;
    std::string_view rest = *text;
    while (!rest.empty()) {
        const std::size_t end = std::min(rest.find(','), rest.size());
        std::string_view item = rest.substr(0, end);
        rest.remove_prefix(std::min(end + 1, rest.size()));
        while (item.starts_with(' ')) item.remove_prefix(1);
        while (item.ends_with(' ')) item.remove_suffix(1);
        if (!item.empty()) list.emplace_back(item);
    }
    return list;
}

/// Applies a converted value, or passes the conversion's error on.
template <typename T, typename Set>
Result<void> with(Result<T> converted, Set set) {
    if (!converted) return converted.error();
    set(*std::move(converted));
    return {};
}

constexpr std::int64_t kAnyPositive = std::numeric_limits<std::int64_t>::max();
constexpr std::int64_t kDayMs = 24 * 60 * 60 * 1000;

/// The keys that are plain numbers: where they go, and their bounds.
template <auto Reach>
Result<void> number(Settings& settings, const SettingValue& value, std::int64_t min,
                    std::int64_t max) {
    return with(to_integer(value, min, max), [&](std::int64_t n) {
        auto& field = Reach(settings);
        field = std::remove_reference_t<decltype(field)>(n);
    });
}

using S = Settings;
using V = SettingValue;
using R = Result<void>;

#define MOONWIRE_NUMBER(name, field, min, max)                                   \
    SettingKey {                                                                 \
        name, [](S& s, const V& v) -> R {                                        \
            return number<[](S & settings) -> auto& { return settings.field; }>( \
                s, v, min, max);                                                 \
        }                                                                        \
    }

R apply_transports(S& s, const V& v) {
    auto list = to_list(v);
    if (!list) return list.error();
    s.engine.polling = s.engine.websocket = false;
    for (const std::string& name : *list) {
        if (name == "polling") s.engine.polling = true;
        else if (name == "websocket") s.engine.websocket = true;
        else return Error{"unknown transport \"" + name + "\", expected polling or websocket"};
    }
    if (list->empty()) return Error{"expected at least one transport"};
    return {};
}

R apply_log_level(S& s, const V& v) {
    auto text = to_text(v);
    if (!text) return text.error();
    constexpr std::pair<std::string_view, log::Level> kLevels[] = {
        {"debug", log::Level::debug}, {"info", log::Level::info},   {"warn", log::Level::warn},
        {"warning", log::Level::warn}, {"error", log::Level::error}, {"off", log::Level::off}};
    for (const auto& [name, level] : kLevels) {
        if (*text != name) continue;
        s.log_level = level;
        return {};
    }
    return Error{"expected debug, info, warn, error or off"};
}

R apply_log_format(S& s, const V& v) {
    auto text = to_text(v);
    if (!text) return text.error();
    if (*text != "text" && *text != "json") return Error{"expected text or json"};
    s.log_format = *text == "json" ? log::Format::json : log::Format::text;
    return {};
}

R apply_max_payload(S& s, const V& v) {
    return with(to_integer(v, 1, 1 << 30), [&](std::int64_t n) {
        s.engine.max_payload_bytes = s.transport.max_body_bytes = s.transport.max_message_bytes =
            static_cast<std::size_t>(n);
    });
}

R apply_connections(S& s, const V& v) {
    return with(to_integer(v, 1, 10'000'000), [&](std::int64_t n) {
        s.transport.max_connections = s.engine.max_sessions = static_cast<std::size_t>(n);
    });
}

R apply_send_queue(S& s, const V& v) {
    return with(to_integer(v, 1024, std::int64_t{1} << 32), [&](std::int64_t n) {
        s.transport.send_queue_bytes = s.engine.send_queue_bytes = static_cast<std::size_t>(n);
    });
}

const SettingKey kKeys[] = {
    {"server.host", [](S& s, const V& v) -> R {
         return with(to_text(v), [&](std::string host) { s.transport.host = std::move(host); });
     }},
    MOONWIRE_NUMBER("server.port", transport.port, 0, 65535),
    MOONWIRE_NUMBER("server.threads", threads, 0, 255),
    MOONWIRE_NUMBER("server.drain_seconds", drain, 0, 86'400),
    MOONWIRE_NUMBER("server.max_header_bytes", transport.max_header_bytes, 256, 1 << 20),
    MOONWIRE_NUMBER("server.header_timeout_ms", transport.header_timeout, 1, kDayMs),
    MOONWIRE_NUMBER("server.body_timeout_ms", transport.body_timeout, 1, kDayMs),
    MOONWIRE_NUMBER("server.idle_timeout_ms", transport.idle_timeout, 1, kDayMs),
    MOONWIRE_NUMBER("server.write_timeout_ms", transport.write_timeout, 1, kDayMs),
    MOONWIRE_NUMBER("server.coalesce_us", transport.coalesce_window, 0, 1'000'000),
    MOONWIRE_NUMBER("engine.ping_interval_ms", engine.ping_interval, 1, kDayMs),
    MOONWIRE_NUMBER("engine.ping_timeout_ms", engine.ping_timeout, 1, kDayMs),
    MOONWIRE_NUMBER("engine.upgrade_timeout_ms", engine.upgrade_timeout, 1, kDayMs),
    MOONWIRE_NUMBER("engine.connect_timeout_ms", socketio.connect_timeout, 1, kDayMs),
    {"engine.max_payload_bytes", apply_max_payload},
    {"engine.transports", apply_transports},
    {"engine.cors_origins", [](S& s, const V& v) -> R {
         return with(to_list(v), [&](auto list) { s.cors_origins = std::move(list); });
     }},
    {"engine.cors_credentials", [](S& s, const V& v) -> R {
         return with(to_boolean(v), [&](bool on) { s.cors_credentials = on; });
     }},
    MOONWIRE_NUMBER("engine.max_attachments", socketio.max_attachments, 0, 10'000),
    {"limits.connections", apply_connections},
    {"limits.send_queue_bytes", apply_send_queue},
    MOONWIRE_NUMBER("limits.namespaces_per_connection", socketio.max_namespaces, 1, 100'000),
    MOONWIRE_NUMBER("limits.events_in_flight", socketio.max_events_in_flight, 1, 1'000'000),
    {"limits.namespace_memory_mb", [](S& s, const V& v) -> R {
         return with(to_integer(v, 1, 1 << 20), [&](std::int64_t n) {
             s.namespace_memory_bytes = static_cast<std::size_t>(n) << 20;
         });
     }},
    {"log.level", apply_log_level},
    {"log.format", apply_log_format},
    {"log.enabled", [](S& s, const V& v) -> R {
         return with(to_boolean(v), [&](bool on) { s.log_enabled = on; });
     }},
};

#undef MOONWIRE_NUMBER

constexpr std::string_view kPlanned[] = {
    "server.tls",          "engine.allow_eio3",       "engine.deflate",
    "limits.handler_ms",   "limits.events_per_second", "limits.bytes_per_second",
    "limits.connections_per_ip", "recovery.enabled",   "recovery.max_disconnection_seconds",
    "plugins.load"};

}  // namespace

std::span<const SettingKey> setting_keys() { return kKeys; }

const SettingKey* find_setting(std::string_view name) {
    for (const SettingKey& key : kKeys)
        if (key.name == name) return &key;
    return nullptr;
}

bool is_planned_setting(std::string_view name) {
    return std::any_of(std::begin(kPlanned), std::end(kPlanned), [&](std::string_view planned) {
        return name == planned ||
               (name.starts_with(planned) && name.size() > planned.size() &&
                name[planned.size()] == '.');
    });
}

}  // namespace moonwire::server
