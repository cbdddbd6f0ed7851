#pragma once

#include <chrono>
#include <cstddef>
#include <filesystem>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "core/base/log.hpp"
#include "core/base/result.hpp"
#include "core/engineio/options.hpp"
#include "core/plugin/plugins.hpp"
#include "core/plugin/stores.hpp"
#include "core/script/figure_limits.hpp"
#include "core/script/store_options.hpp"
#include "core/script/vm_limits.hpp"
#include "core/server/audit_log.hpp"
#include "core/socketio/server.hpp"
#include "core/transport/http_client.hpp"
#include "core/transport/server.hpp"

namespace moonwire::server {

/// [server.tls] as it was given; `resolve_settings` makes transport.tls of it.
struct TlsFiles {
    bool mentioned = false;                    // by any of its keys
    std::optional<std::string> certificate;    // empty switches TLS off
    std::string key;
    std::vector<transport::TlsCertificate> more;  // for other names
};

/// A table of [namespaces]: what differs for one namespace or family.
struct NamespaceSettings {
    bool dedicated = false;  // a thread of its own
    bool jit = false;
    std::optional<Duration> handler, load;
    std::optional<std::size_t> memory_bytes;

    /// The limits of all, but for what differs here.
    script::VmLimits limits(script::VmLimits common) const;
};

/// Everything that can be set about a broker, checked and typed.
struct Settings {
    transport::TransportOptions transport;
    TlsFiles tls;
    engineio::EngineOptions engine;
    std::vector<std::string> cors_origins;
    bool cors_credentials = false;
    socketio::ServerOptions socketio;
    unsigned threads = 0;  // 0: one a core
    std::chrono::seconds drain{10};
    std::optional<std::string> control;  // its socket; empty: none; not set: the default place
    /// The folder of the JavaScript client's files; empty: none; not set: beside the binary.
    std::optional<std::string> client_bundle;
    bool pages = true;  // the apps' public folders are served
    script::VmLimits script_limits;  // of namespaces without settings of their own
    transport::HttpClientOptions http;  // the scripts' way out
    std::string store_kind = "sqlite";  // or memory, or a plugin's name
    std::string store_kind_where;       // of that: "moonwire.toml:3"
    plugin::StoreSettings store_file;   // its path is empty: the default place
    script::StoreOptions store;         // what bounds the scripts' use of it
    script::FigureLimits figures;       // what bounds each namespace's
    plugin::PluginSettings plugins;
    bool watch = true;               // the scripts' folders
    bool demo = false;               // the apps' demo.lua is loaded
    bool strict = false;             // scripts with errors end the start
    unsigned rate_burst_seconds = 2;  // what may come at once, of [limits]' rates
    struct {
        unsigned handshakes = 0, events = 0;
        std::size_t bytes = 0;
    } per_second;  // 0: no limit; resolve_settings makes the layers' rates of them
    AuditOptions audit;
    log::Level log_level = log::Level::info;
    log::Format log_format = log::Format::text;
    bool log_enabled = true;
    // [namespaces]
    std::map<std::string, std::string> aliases;
    std::map<std::string, NamespaceSettings> namespaces;
};

/// Values given on the command line, by dotted key; they win over all else.
using Overrides = std::vector<std::pair<std::string, std::string>>;

/// One moonwire.toml, parsed, its `${NAME:-default}` replaced from the environment. Immutable: any
/// thread.
class SettingsFile {
public:
    /// A missing file is an empty one. Errors carry file and line.
    static Result<SettingsFile> read(const std::filesystem::path& path);
    SettingsFile();
    SettingsFile(SettingsFile&&) noexcept;
    SettingsFile& operator=(SettingsFile&&) noexcept;
    ~SettingsFile();

    bool exists() const noexcept;
    /// What a script's `setting(name)` finds under [settings], as JSON text.
    std::optional<std::string> script_setting(std::string_view name) const;

private:
    friend Settings resolve_settings(const SettingsFile&, const Overrides&, std::vector<Error>&);
    struct Impl;
    std::unique_ptr<Impl> impl_;
};

/// Defaults, then the file, then MOONWIRE_* variables, then `overrides`. Unknown keys, values of the
/// wrong type or out of bounds and settings that this version lacks are errors that name the source;
/// with any of them the result is not to be used.
Settings resolve_settings(const SettingsFile& file, const Overrides& overrides,
                          std::vector<Error>& errors);
/// The same, or the first error.
Result<Settings> resolve_settings(const SettingsFile& file, const Overrides& overrides);

/// Whether there is the store that `store.kind` names: one of the broker's, or of these plugins.
/// For whoever has loaded them.
Result<void> check_store_kind(const Settings& settings, const std::vector<std::string>& plugins);

}  // namespace moonwire::server
