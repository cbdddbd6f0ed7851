#include "core/server/namespace_settings.hpp"

#include <iterator>

#include "core/server/setting_values.hpp"

namespace moonwire::server {
namespace {

struct NamespaceKey {
    std::string_view name;
    Result<void> (*apply)(NamespaceSettings&, const SettingValue&);
};

template <std::optional<Duration> NamespaceSettings::*Field>
Result<void> set_milliseconds(NamespaceSettings& settings, const SettingValue& value) {
    return with(to_integer(value, 0, kDayMs),
                [&](std::int64_t n) { settings.*Field = std::chrono::milliseconds(n); });
}

template <bool NamespaceSettings::*Field>
Result<void> set_flag(NamespaceSettings& settings, const SettingValue& value) {
    return with(to_boolean(value), [&](bool on) { settings.*Field = on; });
}

constexpr NamespaceKey kKeys[] = {
    {"dedicated", set_flag<&NamespaceSettings::dedicated>},
    {"jit", set_flag<&NamespaceSettings::jit>},
    {"handler_ms", set_milliseconds<&NamespaceSettings::handler>},
    {"load_ms", set_milliseconds<&NamespaceSettings::load>},
    {"memory_mb", [](NamespaceSettings& settings, const SettingValue& value) -> Result<void> {
         return with(to_integer(value, 1, 1 << 20), [&](std::int64_t n) {
             settings.memory_bytes = static_cast<std::size_t>(n) << 20;
         });
     }},
};

const NamespaceKey* find(std::string_view name) {
    for (const NamespaceKey& key : kKeys)
        if (key.name == name) return &key;
    return nullptr;
}

}  // namespace

script::VmLimits NamespaceSettings::limits(script::VmLimits common) const {
    common.jit = jit;
    if (handler) common.handler = *handler;
    if (load) common.load = *load;
    if (memory_bytes) common.memory_bytes = *memory_bytes;
    return common;
}

bool is_namespace_setting(std::string_view name) { return find(name) != nullptr; }

Result<void> apply_namespace_setting(NamespaceSettings& settings, std::string_view name,
                                     const SettingValue& value) {
    if (const NamespaceKey* key = find(name)) return key->apply(settings, value);
    std::string expected = "unknown setting, expected one of";
    for (const NamespaceKey& key : kKeys)
        expected += (&key == kKeys ? " " : ", ") + std::string(key.name);
    return Error{expected};
}

}  // namespace moonwire::server
