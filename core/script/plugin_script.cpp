#include "core/script/plugin_script.hpp"

#include "core/base/json_text.hpp"
#include "core/script/api.hpp"
#include "core/script/extensions.hpp"
#include "core/script/json_encode.hpp"
#include "core/script/namespace_vm.hpp"

namespace moonwire::script {
namespace {

constexpr std::size_t kMaxWants = 1000;  // a generation's, of one plugin

/// The functions below have the generation as their first upvalue and this as their second.
std::string plugin_of(lua_State* state) { return std::string(text_at(state, lua_upvalueindex(2))); }

void tell(const std::string& plugin, const plugin::Module& module, const Generation& generation) {
    if (!module.wanted) return;
    plugin::Call call;
    call.nsp = generation.nsp();
    const auto wants = generation.wants.find(plugin);
    if (generation.phase() != Generation::Phase::retired && wants != generation.wants.end()) {
        std::string list = "[";
        for (const auto& [key, value] : wants->second)
            list += (list.size() > 1 ? ",[" : "[") + json_string(key) + "," + value + "]";
        call.arguments.json = list + "]";
    }
    module.wanted(call);
}

/// `handle(name, fn)`
int lua_handle(lua_State* state) {
    Generation& generation = generation_of(state);
    const std::string name = plugin_of(state) + "." + std::string(check_text(state, 1));
    luaL_checktype(state, 2, LUA_TFUNCTION);
    // What a reload replaced is not asked any more.
    if (generation.phase() == Generation::Phase::retired) return 0;
    lua_settop(state, 2);
    const int slot = generation.keep(state);
    Registered& handler = generation.handled[name];
    if (handler.slot != 0) generation.forget(handler.slot);
    handler = {slot, caller_position(state)};
    return 0;
}

/// `want(key, value)`
int lua_want(lua_State* state) {
    Generation& generation = generation_of(state);
    const std::string plugin = plugin_of(state);
    const std::string key(check_text(state, 1));
    if (generation.phase() == Generation::Phase::retired) return 0;
    auto& wants = generation.wants[plugin];
    if (lua_isnoneornil(state, 2)) {
        wants.erase(key);
    } else {
        Encoded value;
        const auto done = encode_json(state, 2, value, BinaryValues::refused);
        if (!done) return luaL_error(state, "%s", done.error().message.c_str());
        if (wants.size() >= kMaxWants && !wants.contains(key))
            return luaL_error(state, "plugin.%s: more than %d in a namespace", plugin.c_str(),
                              static_cast<int>(kMaxWants));
        wants[key] = std::move(value.json);
    }
    if (generation.phase() == Generation::Phase::live) {
        const auto& modules = Runtime::of(state).limits.extensions->modules;
        tell(plugin, modules.find(plugin)->second, generation);
    }
    return 0;
}

void push_bound(lua_State* state, lua_CFunction function, int owner, const std::string& plugin) {
    lua_pushvalue(state, owner);
    push_string(state, plugin);
    lua_pushcclosure(state, function, 2);
}

}  // namespace

void run_plugin_script(lua_State* state, const std::string& plugin, const plugin::Module& module,
                       int owner) {
    const std::string name = "=plugin." + plugin;
    if (luaL_loadbufferx(state, module.script.data(), module.script.size(), name.c_str(), "t") != 0)
        lua_error(state);
    lua_getfenv(state, owner);
    lua_setfenv(state, -2);
    lua_insert(state, -2);
    push_bound(state, lua_handle, owner, plugin);
    push_bound(state, lua_want, owner, plugin);
    Runtime& runtime = Runtime::of(state);
    runtime.begin_loading();
    const int status = lua_pcall(state, 3, 1, 0);
    runtime.end_loading();
    if (status != 0) lua_error(state);
    if (lua_isnil(state, -1))
        luaL_error(state, "plugin.%s: its script returned nothing", plugin.c_str());
}

void tell_wants(const Generation& generation) {
    const auto& extensions = generation.runtime().limits.extensions;
    if (!extensions) return;
    for (const auto& [plugin, module] : extensions->modules) tell(plugin, module, generation);
}

}  // namespace moonwire::script
