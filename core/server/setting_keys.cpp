#include "core/server/setting_keys.hpp"

#include <algorithm>
#include <cctype>
#include <charconv>
#include <cstdint>
#include <filesystem>
#include <limits>

#include "core/server/setting_values.hpp"

namespace moonwire::server {
namespace {

/// The keys that are plain numbers: where they go, and their bounds.
template <auto Reach>
Result<void> number(Settings& settings, const SettingValue& value, std::int64_t min,
                    std::int64_t max) {
    return with(to_integer(value, min, max), [&](std::int64_t n) {
        auto& field = Reach(settings);
        field = std::remove_reference_t<decltype(field)>(n);
    });
}

/// The keys that are plain texts.
template <auto Reach>
Result<void> text(Settings& settings, const SettingValue& value) {
    return with(to_text(value), [&](std::string text) { Reach(settings) = std::move(text); });
}

using S = Settings;
using V = SettingValue;
using R = Result<void>;

#define MOONWIRE_TEXT(name, field, is_path)                                                  \
    SettingKey {                                                                             \
        name,                                                                                \
            [](S& s, const V& v) -> R {                                                      \
                return text<[](S & settings) -> auto& { return settings.field; }>(s, v);     \
            },                                                                               \
            is_path                                                                          \
    }

#define MOONWIRE_NUMBER(name, field, min, max)                                   \
    SettingKey {                                                                 \
        name, [](S& s, const V& v) -> R {                                        \
            return number<[](S & settings) -> auto& { return settings.field; }>( \
                s, v, min, max);                                                 \
        }                                                                        \
    }

#define MOONWIRE_MS(name, field, min, max)                                                       \
    SettingKey {                                                                                 \
        name, [](S& s, const V& v) -> R {                                                        \
            return with(to_integer(v, min, max),                                                 \
                        [&](std::int64_t n) { s.field = std::chrono::milliseconds(n); });        \
        }                                                                                        \
    }

#define MOONWIRE_FLAG(name, field)                                         \
    SettingKey {                                                           \
        name, [](S& s, const V& v) -> R {                                  \
            return with(to_boolean(v), [&](bool on) { s.field = on; }); \
        }                                                                  \
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

R apply_parser(S& s, const V& v) {
    auto text = to_text(v);
    if (!text) return text.error();
    if (*text != "json" && *text != "msgpack") return Error{"expected json or msgpack"};
    s.socketio.nsp.format = *text == "msgpack" ? socketio::Format::msgpack : socketio::Format::json;
    return {};
}

/// A path without the slash at its end, which clients may leave out.
R apply_engine_path(S& s, const V& v) {
    auto text = to_text(v);
    if (!text) return text.error();
    if (text->ends_with('/')) text->pop_back();
    const bool plain = text->find_first_of("?#% ") == std::string::npos;
    if (text->size() < 2 || !text->starts_with('/') || !plain)
        return Error{"expected a path, as in \"/socket.io/\""};
    s.engine.path = *std::move(text);
    return {};
}

R apply_cookie_name(S& s, const V& v) {
    auto text = to_text(v);
    if (!text) return text.error();
    const bool token = std::all_of(text->begin(), text->end(), [](char c) {
        return c > ' ' && c < 0x7f &&
               std::string_view("()<>@,;:\\\"/[]?={}").find(c) == std::string_view::npos;
    });
    if (!token) return Error{"expected a cookie's name"};
    s.engine.cookie.name = *std::move(text);
    return {};
}

R apply_cookie_path(S& s, const V& v) {
    auto text = to_text(v);
    if (!text) return text.error();
    const bool plain = text->find_first_of("; \r\n") == std::string::npos;
    if (!text->starts_with('/') || !plain) return Error{"expected a path, as in \"/\""};
    s.engine.cookie.path = *std::move(text);
    return {};
}

R apply_cookie_same_site(S& s, const V& v) {
    const auto* text = std::get_if<std::string>(&v);
    for (const char* known : {"Strict", "Lax", "None", ""}) {
        if (!text || *text != known) continue;
        s.engine.cookie.same_site = *text;
        return {};
    }
    return Error{"expected \"Strict\", \"Lax\", \"None\" or \"\""};
}

R apply_trusted_proxies(S& s, const V& v) {
    auto list = to_list(v);
    if (!list) return list.error();
    auto proxies = transport::TrustedProxies::parse(*list);
    if (!proxies) return proxies.error();
    s.transport.trusted_proxies = *std::move(proxies);
    return {};
}

R apply_client_bundle(S& s, const V& v) {
    auto text = to_text(v);
    if (!text) return text.error();
    std::error_code error;
    if (!text->empty() &&
        !std::filesystem::exists(std::filesystem::path(*text) / "socket.io.js", error))
        return Error{"no socket.io.js in \"" + *text +
                     "\", expected as in \"node_modules/socket.io-client/dist\""};
    s.client_bundle = *std::move(text);
    return {};
}

R apply_connect_timeout(S& s, const V& v) {
    return with(to_integer(v, 1, kDayMs), [&](std::int64_t n) {
        s.socketio.connect_timeout = s.engine.handshake_timeout = std::chrono::milliseconds(n);
    });
}

R apply_log_level(S& s, const V& v) {
    auto text = to_text(v);
    if (!text) return text.error();
    // Variables of other programs say it in capitals.
    for (char& c : *text) c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
    constexpr std::pair<std::string_view, log::Level> kLevels[] = {
        {"debug", log::Level::debug},  {"info", log::Level::info},   {"warn", log::Level::warn},
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

/// As chmod has it. Never a number: 660 would be another one than 0660.
R apply_unix_mode(S& s, const V& v) {
    const auto* text = std::get_if<std::string>(&v);
    unsigned mode = 0;
    if (text) {
        const auto [end, error] =
            std::from_chars(text->data(), text->data() + text->size(), mode, 8);
        if (error == std::errc() && end == text->data() + text->size() && mode > 0 &&
            mode <= 0777) {
            s.transport.unix_mode = mode;
            return {};
        }
    }
    return Error{"expected permissions as a string, as in \"0660\""};
}

R apply_certificates(S& s, const V& v) {
    // An empty list has no kind.
    const auto* texts = std::get_if<std::vector<std::string>>(&v);
    const auto* tables = std::get_if<std::vector<SettingTable>>(&v);
    if (!tables && !(texts && texts->empty()))
        return Error{"expected tables, as in [[server.tls.certificates]]"};
    s.tls.more.clear();
    for (std::size_t i = 0; tables && i < tables->size(); ++i) {
        transport::TlsCertificate files;
        const std::string which = "number " + std::to_string(i + 1) + ": ";
        for (const auto& [name, path] : (*tables)[i]) {
            if (name == "certificate") files.certificate = path;
            else if (name == "key") files.key = path;
            else return Error{which + "unknown key \"" + name + "\", expected certificate and key"};
        }
        if (files.certificate.empty()) return Error{which + "expected a certificate"};
        s.tls.more.push_back(std::move(files));
    }
    return {};
}

R apply_client_certificate(S& s, const V& v) {
    using transport::ClientCertificate;
    constexpr std::pair<std::string_view, ClientCertificate> kWishes[] = {
        {"none", ClientCertificate::none},
        {"optional", ClientCertificate::optional},
        {"required", ClientCertificate::required}};
    const auto* text = std::get_if<std::string>(&v);
    for (const auto& [name, wish] : kWishes) {
        if (!text || *text != name) continue;
        s.transport.tls.client_certificate = wish;
        return {};
    }
    return Error{"expected none, optional or required"};
}

R apply_min_version(S& s, const V& v) {
    const auto* text = std::get_if<std::string>(&v);
    if (!text || (*text != "1.2" && *text != "1.3")) return Error{"expected \"1.2\" or \"1.3\""};
    s.transport.tls.tls_1_2 = *text == "1.2";
    return {};
}

R apply_ciphers(S& s, const V& v) {
    return with(to_list(v), [&](const std::vector<std::string>& names) {
        std::string& joined = s.transport.tls.ciphers;
        joined.clear();
        for (const std::string& name : names) joined += (joined.empty() ? "" : ":") + name;
    });
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

R apply_connections_per_ip(S& s, const V& v) {
    // A client by polling has several TCP connections, and a browser up to six.
    constexpr std::size_t kTcpConnections = 6;
    return with(to_integer(v, 0, 10'000'000), [&](std::int64_t n) {
        s.engine.max_sessions_per_ip = static_cast<std::size_t>(n);
        s.transport.max_connections_per_ip = static_cast<std::size_t>(n) * kTcpConnections;
    });
}

R apply_ipv6_prefix(S& s, const V& v) {
    return with(to_integer(v, 1, 128), [&](std::int64_t n) {
        s.engine.ipv6_prefix = s.transport.ipv6_prefix = static_cast<unsigned>(n);
    });
}

R apply_over_rate(S& s, const V& v) {
    const auto* text = std::get_if<std::string>(&v);
    if (!text || (*text != "drop" && *text != "disconnect"))
        return Error{"expected \"drop\" or \"disconnect\""};
    s.socketio.inbound.disconnect = *text == "disconnect";
    return {};
}

R apply_send_queue_age(S& s, const V& v) {
    return with(to_integer(v, 0, kDayMs), [&](std::int64_t n) {
        s.engine.send_queue_age = s.transport.send_queue_age = std::chrono::milliseconds(n);
    });
}

const SettingKey kKeys[] = {
    MOONWIRE_TEXT("server.host", transport.host, false),
    MOONWIRE_NUMBER("server.port", transport.port, 0, 65535),
    MOONWIRE_FLAG("server.plain", transport.plain),
    MOONWIRE_TEXT("server.unix", transport.unix_path, true),
    {"server.unix_mode", apply_unix_mode},
    MOONWIRE_TEXT("server.tls.host", transport.tls.host, false),
    MOONWIRE_NUMBER("server.tls.port", transport.tls.port, 0, 65535),
    MOONWIRE_TEXT("server.tls.certificate", tls.certificate, true),
    MOONWIRE_TEXT("server.tls.key", tls.key, true),
    {"server.tls.certificates", apply_certificates, true},
    MOONWIRE_TEXT("server.tls.client_ca", transport.tls.client_ca, true),
    {"server.tls.client_certificate", apply_client_certificate},
    {"server.tls.min_version", apply_min_version},
    {"server.tls.ciphers", apply_ciphers},
    MOONWIRE_NUMBER("server.threads", threads, 0, 255),
    MOONWIRE_NUMBER("server.drain_seconds", drain, 0, 86'400),
    MOONWIRE_NUMBER("server.max_header_bytes", transport.max_header_bytes, 256, 1 << 20),
    MOONWIRE_NUMBER("server.header_timeout_ms", transport.header_timeout, 1, kDayMs),
    MOONWIRE_NUMBER("server.body_timeout_ms", transport.body_timeout, 1, kDayMs),
    MOONWIRE_NUMBER("server.idle_timeout_ms", transport.idle_timeout, 1, kDayMs),
    MOONWIRE_NUMBER("server.write_timeout_ms", transport.write_timeout, 1, kDayMs),
    {"server.trusted_proxies", apply_trusted_proxies},
    {"server.client_bundle", apply_client_bundle, true},
    MOONWIRE_FLAG("server.pages", pages),
    {"server.control", [](S& s, const V& v) -> R {
         return with(to_text(v), [&](std::string text) { s.control = std::move(text); });
     }, true},
    MOONWIRE_NUMBER("server.coalesce_us", transport.coalesce_window, 0, 1'000'000),
    MOONWIRE_NUMBER("engine.ping_interval_ms", engine.ping_interval, 1, kDayMs),
    MOONWIRE_NUMBER("engine.ping_timeout_ms", engine.ping_timeout, 1, kDayMs),
    MOONWIRE_NUMBER("engine.upgrade_timeout_ms", engine.upgrade_timeout, 1, kDayMs),
    {"engine.connect_timeout_ms", apply_connect_timeout},
    {"engine.max_payload_bytes", apply_max_payload},
    {"engine.transports", apply_transports},
    {"engine.cors_origins", [](S& s, const V& v) -> R {
         return with(to_list(v), [&](auto list) { s.cors_origins = std::move(list); });
     }},
    MOONWIRE_FLAG("engine.cors_credentials", cors_credentials),
    MOONWIRE_FLAG("engine.allow_eio3", engine.allow_eio3),
    {"engine.parser", apply_parser},
    {"engine.path", apply_engine_path},
    {"engine.allowed_origins", [](S& s, const V& v) -> R {
         return with(to_list(v), [&](auto list) { s.engine.allowed_origins = std::move(list); });
     }},
    {"engine.cookie", apply_cookie_name},
    {"engine.cookie_path", apply_cookie_path},
    {"engine.cookie_same_site", apply_cookie_same_site},
    MOONWIRE_FLAG("engine.cookie_secure", engine.cookie.secure),
    {"engine.cookie_max_age", [](S& s, const V& v) -> R {
         return with(to_integer(v, 0, kAnyPositive),
                     [&](std::int64_t n) { s.engine.cookie.max_age_seconds = n; });
     }},
    MOONWIRE_FLAG("engine.http_compression", engine.http_compression),
    MOONWIRE_NUMBER("engine.http_compression_threshold", engine.http_compression_threshold, 0,
                    1 << 30),
    MOONWIRE_FLAG("engine.deflate", transport.deflate),
    MOONWIRE_NUMBER("engine.deflate_threshold", transport.deflate_threshold_bytes, 0, 1 << 30),
    MOONWIRE_NUMBER("engine.deflate_level", transport.deflate_level, 1, 9),
    MOONWIRE_NUMBER("engine.max_attachments", socketio.max_attachments, 0, 10'000),
    {"limits.connections", apply_connections},
    {"limits.connections_per_ip", apply_connections_per_ip},
    MOONWIRE_NUMBER("limits.connections_per_user", socketio.nsp.connections_per_user, 0,
                    10'000'000),
    {"limits.ipv6_prefix", apply_ipv6_prefix},
    MOONWIRE_NUMBER("limits.handshakes_per_second_per_ip", per_second.handshakes, 0, 1'000'000),
    MOONWIRE_NUMBER("limits.events_per_second", per_second.events, 0, 100'000'000),
    MOONWIRE_NUMBER("limits.bytes_per_second", per_second.bytes, 0, std::int64_t{1} << 40),
    MOONWIRE_NUMBER("limits.rate_burst_seconds", rate_burst_seconds, 1, 3600),
    {"limits.over_rate", apply_over_rate},
    {"limits.send_queue_bytes", apply_send_queue},
    {"limits.send_queue_ms", apply_send_queue_age},
    MOONWIRE_NUMBER("limits.namespaces_per_connection", socketio.max_namespaces, 1, 100'000),
    MOONWIRE_NUMBER("limits.rooms_per_socket", socketio.nsp.rooms, 1, 10'000'000),
    MOONWIRE_NUMBER("limits.awaited_acks_per_socket", socketio.nsp.awaited_acks, 1, 10'000'000),
    MOONWIRE_NUMBER("limits.family_members", socketio.max_family_members, 1, 10'000'000),
    MOONWIRE_FLAG("limits.keep_empty_namespaces", socketio.keep_empty),
    MOONWIRE_NUMBER("limits.coroutines_per_namespace", script_limits.tasks, 1, 10'000'000),
    MOONWIRE_NUMBER("limits.timers_per_namespace", script_limits.timers, 1, 10'000'000),
    MOONWIRE_NUMBER("limits.events_in_flight", socketio.max_events_in_flight, 1, 1'000'000),
    {"limits.namespace_memory_mb", [](S& s, const V& v) -> R {
         return with(to_integer(v, 1, 1 << 20), [&](std::int64_t n) {
             s.script_limits.memory_bytes = static_cast<std::size_t>(n) << 20;
         });
     }},
    MOONWIRE_MS("limits.handler_ms", script_limits.handler, 0, kDayMs),
    MOONWIRE_MS("limits.load_ms", script_limits.load, 0, kDayMs),
    MOONWIRE_FLAG("scripts.watch", watch),
    MOONWIRE_FLAG("scripts.strict", strict),
    MOONWIRE_FLAG("scripts.demo", demo),
    MOONWIRE_FLAG("scripts.check_emits", script_limits.check_emits),
    MOONWIRE_FLAG("recovery.enabled", socketio.nsp.recovery.enabled),
    MOONWIRE_NUMBER("recovery.max_disconnection_seconds", socketio.nsp.recovery.max_disconnection,
                    1, 86'400),
    MOONWIRE_FLAG("recovery.skip_middlewares", socketio.nsp.recovery.skip_middlewares),
    {"recovery.log_mb", [](S& s, const V& v) -> R {
         return with(to_integer(v, 1, 1 << 20), [&](std::int64_t n) {
             s.socketio.nsp.recovery.log_bytes = static_cast<std::size_t>(n) << 20;
         });
     }},
    MOONWIRE_NUMBER("recovery.max_sessions", socketio.nsp.recovery.max_sessions, 1, 10'000'000),
    MOONWIRE_TEXT("http.ca_file", http.ca_file, true),
    MOONWIRE_NUMBER("http.requests_at_once", http.max_requests, 1, 100'000),
    MOONWIRE_NUMBER("http.max_response_bytes", http.max_body_bytes, 1, 1 << 30),
    MOONWIRE_NUMBER("http.max_header_bytes", http.max_header_bytes, 256, 1 << 20),
    MOONWIRE_NUMBER("http.idle_connections", http.max_idle, 0, 1000),
    MOONWIRE_NUMBER("http.idle_connections_per_host", http.max_idle_per_host, 0, 1000),
    MOONWIRE_NUMBER("http.idle_timeout_ms", http.idle_timeout, 1, kDayMs),
    MOONWIRE_TEXT("audit.file", audit.file, true),
    {"audit.max_mb", [](S& s, const V& v) -> R {
         return with(to_integer(v, 1, 1 << 20), [&](std::int64_t n) {
             s.audit.max_bytes = static_cast<std::size_t>(n) << 20;
         });
     }},
    MOONWIRE_NUMBER("audit.keep", audit.keep, 0, 1000),
    MOONWIRE_TEXT("store.kind", store_kind, false),
    MOONWIRE_TEXT("store.path", store_file.path, true),
    MOONWIRE_FLAG("store.durable", store.durable),
    MOONWIRE_FLAG("store.check", store_file.check),
    MOONWIRE_FLAG("store.set_aside", store_file.set_aside),
    MOONWIRE_NUMBER("store.max_value_bytes", store.max_value_bytes, 64, 512 << 20),
    MOONWIRE_NUMBER("store.keys", store_file.limits.keys, 1, kAnyPositive),
    MOONWIRE_NUMBER("store.streams", store_file.limits.streams, 1, kAnyPositive),
    MOONWIRE_NUMBER("store.stream_items", store.stream_items, 1, kAnyPositive),
    MOONWIRE_NUMBER("store.queues", store_file.limits.queues, 1, kAnyPositive),
    MOONWIRE_NUMBER("store.queue_items", store.queue_items, 1, kAnyPositive),
    MOONWIRE_NUMBER("store.queue_seconds", store.queue_time, 1, 10'000'000'000),
    MOONWIRE_NUMBER("store.schedules", store_file.limits.schedules, 1, kAnyPositive),
    {"store.waiting", [](S& s, const V& v) -> R {
         return with(to_integer(v, 1, 10'000'000), [&](std::int64_t n) {
             s.store_file.limits.waiting = s.store.waiting = static_cast<std::size_t>(n);
         });
     }},
    MOONWIRE_NUMBER("metrics.max_series", figures.series, 1, 100'000),
    MOONWIRE_NUMBER("metrics.max_events", figures.events, 0, 10'000),
    {"plugins.load",
     [](S& s, const V& v) -> R {
         return with(to_list(v), [&](auto list) { s.plugins.load = std::move(list); });
     },
     true, true},
    {"plugins.path",
     [](S& s, const V& v) -> R {
         return with(to_list(v), [&](const auto& list) {
             s.plugins.path.assign(list.begin(), list.end());
         });
     },
     true},
    {"log.level", apply_log_level},
    {"log.format", apply_log_format},
    MOONWIRE_FLAG("log.enabled", log_enabled),
};

#undef MOONWIRE_TEXT
#undef MOONWIRE_NUMBER
#undef MOONWIRE_MS
#undef MOONWIRE_FLAG

}  // namespace

std::span<const SettingKey> setting_keys() { return kKeys; }

const SettingKey* find_setting(std::string_view name) {
    for (const SettingKey& key : kKeys)
        if (key.name == name) return &key;
    return nullptr;
}

bool is_setting_table(std::string_view name) {
    return std::any_of(std::begin(kKeys), std::end(kKeys), [&](const SettingKey& key) {
        return key.name.starts_with(name) && key.name.size() > name.size() &&
               key.name[name.size()] == '.';
    });
}

}  // namespace moonwire::server
