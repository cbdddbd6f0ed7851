#include "core/script/api_names.hpp"

#include <stdexcept>

#include "core/script/api.hpp"
#include "core/script/extensions.hpp"
#include "core/script/lint_facts.hpp"
#include "core/script/loader.hpp"
#include "core/script/plugin_module.hpp"
#include "core/script/registry.hpp"

namespace moonwire::script {
namespace {

using Members = std::map<std::string, ApiNames::Sort, std::less<>>;

/// The string keys of the table on top, which is popped.
Members pop_members(lua_State* state) {
    Members members;
    lua_pushnil(state);
    while (lua_next(state, -2)) {
        if (lua_type(state, -2) == LUA_TSTRING)
            members[std::string(text_at(state, -2))] =
                lua_isfunction(state, -1) ? ApiNames::Sort::function : ApiNames::Sort::value;
        lua_pop(state, 1);
    }
    lua_pop(state, 1);
    return members;
}

/// Members of the objects whose metatable the registry keeps under `key`: those of the table that
/// its __index is, or has as first upvalue.
Members members_of(lua_State* state, int key) {
    lua_rawgeti(state, LUA_REGISTRYINDEX, key);
    lua_getfield(state, -1, "__index");
    if (lua_isfunction(state, -1)) {
        lua_getupvalue(state, -1, 1);
        lua_remove(state, -2);
    }
    lua_remove(state, -2);
    return pop_members(state);
}

void read_environment(lua_State* state, ApiNames& names) {
    for (const BuiltInModule& module : built_in_modules()) {
        names.modules.insert(module.name);
        module.push(state);
        names.members[module.name] = pop_members(state);
    }
    lua_pushvalue(state, 1);
    for (const auto& [name, sort] : pop_members(state)) {
        names.globals.insert(name);
        lua_getfield(state, 1, name.c_str());
        if (name != "_G" && lua_istable(state, -1)) names.members[name] = pop_members(state);
        else lua_pop(state, 1);
    }
    const std::pair<std::string_view, int> objects[] = {
        {kNamespaceType, kNamespaceMetatableKey},
        {kSocketType, kSocketMetatableKey},
        {kChainType, kChainMetatableKey},
        {kRemoteChainType, kChainMetatableKey},
        {kTimerType, kTimerMetatableKey},
        {kGeoIndexType, kGeoIndexMetatableKey},
        {kRawType, kRawMetatableKey},
        {kStoreType, kStoreMetatableKey},
        {kCounterType, kCounterMetatableKey},
        {kGaugeType, kGaugeMetatableKey},
        {kHistogramType, kHistogramMetatableKey},
    };
    for (const auto& [type, key] : objects)
        names.members[std::string(type)] = members_of(state, key);
}

/// What `require "plugin.NAME"` gives, if it gives a table.
void read_plugin(lua_State* state, const std::string& plugin, ApiNames& names) {
    const std::string name = std::string(kPluginModules) + plugin;
    names.modules.insert(name);
    lua_getfield(state, 1, "require");
    push_string(state, name);
    if (lua_pcall(state, 1, 1, 0) == 0 && lua_istable(state, -1))
        names.members[name] = pop_members(state);
    else lua_pop(state, 1);
}

}  // namespace

ApiNames read_api_names(std::shared_ptr<const Extensions> extensions) {
    ApiNames names;
    // No limit: nothing below may be left by an error for want of memory.
    Runtime runtime({.memory_bytes = 0, .extensions = extensions}, nullptr);
    const auto generation =
        std::make_shared<Generation>(
        runtime, 1, NamespaceSources{"/", std::make_shared<const AppSources>(), {}});
    const auto read = [&]() -> Result<void> {
        auto prepared = Vm::protect(runtime.state(), 0, [](lua_State* state) {
            register_api(state);
            return 0;
        });
        if (!prepared) return prepared.error();
        if (auto pushed = runtime.push_environment(); !pushed) return pushed.error();
        auto read = Vm::protect(runtime.state(), 1, [&](lua_State* state) {
            generation->open(state);
            install_api(state, generation);
            read_environment(state, names);
            if (extensions)
                for (const auto& [plugin, module] : extensions->modules)
                    read_plugin(state, plugin, names);
            return 0;
        });
        return read ? Result<void>() : read.error();
    };
    if (const auto done = read(); !done) throw std::runtime_error(done.error().message);
    generation->retire();
    return names;
}

std::set<std::string, std::less<>> read_globals(Runtime& runtime, const Generation& generation) {
    std::set<std::string, std::less<>> names;
    lua_State* state = runtime.state();
    generation.push_environment(state);
    for (const auto& [name, sort] : pop_members(state)) names.insert(name);
    return names;
}

}  // namespace moonwire::script
