#pragma once

/// What a plugin needs to include: it derives from Plugin and ends with MOONWIRE_PLUGIN.
/// plugins/README.md leads from nothing to a working one.

#include <cstdint>
#include <memory>
#include <string_view>

#include "host.hpp"
#include "settings.hpp"
#include "version.hpp"

namespace moonwire::plugin {

/// A plugin at work. The host makes one, and calls all of this on one thread: configure and start
/// in the order of the plugins' dependencies, drain and stop in the opposite one. What else a
/// plugin gives the host is called on other threads, as it says there.
class Plugin {
public:
    virtual ~Plugin() = default;

    /// Reads the settings ([plugins.NAME]) and says what it provides. Opens nothing that others
    /// notice, for `moonwire check` does this, too, and no more. What is wrong with a setting goes
    /// to `settings.fail`; an exception ends the start like that, with its message.
    virtual void configure(Host& host, Settings& settings) = 0;
    /// Opens what it works with; the broker listens once all have returned. An exception ends the
    /// start with its message.
    virtual void start() {}
    /// The broker ends: no new work from outside. What scripts call must still be answered. Must
    /// not take long.
    virtual void drain() {}
    /// No script runs any more. Ends the plugin's threads and writes what there is to write. Also
    /// called for those that were started when another's start failed.
    virtual void stop() {}
};

/// What the host reads of a library before it calls anything: constants of plain layout, under one
/// symbol. The first four fields are the same for ever.
struct Descriptor {
    char magic[8];                 // kMagic
    std::uint32_t size;            // of this
    std::uint32_t version;         // kDescriptorVersion
    const char* moonwire;          // kMoonwireVersion
    const char* build;             // kBuildSignature
    const char* name;              // of letters, digits, '-' and '_'
    const char* const* requires_;  // names of plugins that come first; ends with null
    Plugin* (*make)();             // new; may throw
};

#define MOONWIRE_PLUGIN_MAGIC \
    { 'M', 'O', 'O', 'N', 'W', 'I', 'R', 'E' }

}  // namespace moonwire::plugin

/// MOONWIRE_PLUGIN("jwt", JwtPlugin) or, with plugins that must be loaded and started before it,
/// MOONWIRE_PLUGIN("admin", AdminPlugin, "jwt"). Once a library, outside of any namespace.
#define MOONWIRE_PLUGIN(plugin_name, Class, ...)                                                \
    extern "C" {                                                                                \
    extern __attribute__((visibility("default")))                                               \
    const ::moonwire::plugin::Descriptor moonwire_plugin;                                       \
    }                                                                                           \
    static const char* const moonwire_plugin_requires[] = {__VA_ARGS__ __VA_OPT__(, ) nullptr}; \
    constinit const ::moonwire::plugin::Descriptor moonwire_plugin = {                          \
        MOONWIRE_PLUGIN_MAGIC,                                                                  \
        sizeof(::moonwire::plugin::Descriptor),                                                 \
        ::moonwire::plugin::kDescriptorVersion,                                                 \
        ::moonwire::plugin::kMoonwireVersion,                                                   \
        ::moonwire::plugin::kBuildSignature,                                                    \
        plugin_name,                                                                            \
        moonwire_plugin_requires,                                                               \
        []() -> ::moonwire::plugin::Plugin* { return new Class(); }};
