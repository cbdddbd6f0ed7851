#include "core/script/loader.hpp"

#include <charconv>

#include "core/script/api.hpp"
#include "core/script/c_stack.hpp"
#include "core/script/geo_module.hpp"
#include "core/script/json_module.hpp"
#include "core/script/namespace_object.hpp"
#include "core/script/plugin_module.hpp"
#include "core/script/schema.hpp"

namespace moonwire::script {
namespace {

/// LuaJIT shortens long file names in messages to "..." and their end.
bool is_name_of(std::string_view shown, std::string_view path) {
    if (shown.starts_with("...")) return path.ends_with(shown.substr(3));
    return shown == path;
}

/// `namespace "/x"`: which namespace the file belongs to was read from its text already.
int lua_namespace(lua_State* state) {
    Generation& generation = generation_of(state);
    const std::string_view name = check_text(state, 1);
    if (generation.phase() != Generation::Phase::loading || !generation.requiring.empty() ||
        !generation.file)
        return luaL_error(state,
                          "namespace can only be used at the top level of a namespace's file");
    if (generation.file_named_namespace)
        return luaL_error(state, "namespace can be used once a file");
    if (name != generation.nsp())
        return luaL_error(state, "the file belongs to namespace '%s', its first literal one",
                          generation.nsp().c_str());
    generation.file_named_namespace = true;
    push_object<NamespaceObject>(state, kNamespaceMetatableKey, generation.shared_from_this());
    return 1;
}

/// The module's source; raises with a message that says where it was sought.
const ScriptFile& find_module(lua_State* state, const Generation& generation,
                              const std::string& name) {
    const auto found = generation.app().modules.find(name);
    if (found != generation.app().modules.end()) return found->second;
    if (name.find_first_of("/\\") != std::string::npos || name.find("..") != std::string::npos)
        luaL_error(state, "module '%s': names have dots for folders, and stay in the app",
                   name.c_str());
    luaL_error(state,
               "module '%s' not found: app '%s' has no such file without a namespace "
               "(nor is it built in)",
               name.c_str(), generation.app().app.name.c_str());
    std::abort();  // luaL_error does not return
}

void push_built_in(lua_State* state, std::string_view name) {
    for (const BuiltInModule& module : built_in_modules())
        if (name == module.name) return module.push(state);
    lua_pushnil(state);
}

std::string chain_of(const std::vector<std::string>& requiring, const std::string& last) {
    std::string chain;
    for (const std::string& name : requiring) chain += name + " -> ";
    return chain + last;
}

/// Runs a module's file; leaves its value, or the error. Returns lua_pcall's status.
int run_module(lua_State* state, Generation& generation, const std::string& name,
               const ScriptFile& file) {
    const bool compiled = !file.bytecode.empty();
    const std::string& text = compiled ? file.bytecode : file.source;
    int status = luaL_loadbufferx(state, text.data(), text.size(), ("@" + file.path).c_str(),
                                  compiled ? "b" : "t");
    if (status != 0) return status;
    lua_getfenv(state, lua_upvalueindex(1));
    lua_setfenv(state, -2);
    push_string(state, name);
    generation.requiring.push_back(name);
    generation.runtime().begin_loading();
    status = lua_pcall(state, 1, 1, 0);
    generation.runtime().end_loading();
    generation.requiring.pop_back();
    return status;
}

/// `require "lib.geo"`. The second upvalue is the generation's cache; false stands for a module
/// whose top level still runs.
int lua_require(lua_State* state) {
    Generation& generation = generation_of(state);
    check_c_stack(state);
    const std::string name(check_text(state, 1));
    lua_settop(state, 1);
    lua_rawget(state, lua_upvalueindex(2));
    if (lua_toboolean(state, -1)) return 1;
    if (lua_isboolean(state, -1))
        return luaL_error(state, "modules require each other in a circle: %s",
                          chain_of(generation.requiring, name).c_str());
    if (name.starts_with(kPluginModules))
        push_plugin_module(state, name.substr(kPluginModules.size()), lua_upvalueindex(1));
    else push_built_in(state, name);
    if (lua_isnil(state, -1)) {
        generation.used_modules().add(name);
        const ScriptFile& file = find_module(state, generation, name);
        push_string(state, name);
        lua_pushboolean(state, 0);
        lua_rawset(state, lua_upvalueindex(2));
        const int status = run_module(state, generation, name, file);
        if (status != 0) {
            push_string(state, name);
            lua_pushnil(state);
            lua_rawset(state, lua_upvalueindex(2));
            return lua_error(state);
        }
        // A module that returns nothing is there all the same, as in Lua.
        if (!lua_toboolean(state, -1)) lua_pushboolean(state, 1);
    }
    push_string(state, name);
    lua_pushvalue(state, -2);
    lua_rawset(state, lua_upvalueindex(2));
    return 1;
}

Result<void> run_file(Runtime& runtime, Generation& generation, const ScriptFile& file,
                      int environment) {
    auto loaded = file.bytecode.empty() ? runtime.load(file.source, file.path, environment)
                                        : runtime.load_compiled(file.bytecode, environment);
    if (!loaded) return loaded;
    generation.file = &file;
    generation.file_named_namespace = false;
    runtime.begin_loading();
    auto ran = runtime.call(0, 0, runtime.limits.load);
    runtime.end_loading();
    generation.file = nullptr;
    return ran;
}

}  // namespace

void install_loading(lua_State* state) {
    const luaL_Reg functions[] = {{"namespace", lua_namespace}, {nullptr, nullptr}};
    install_functions(state, 1, functions);
    lua_pushvalue(state, 2);
    lua_newtable(state);
    lua_pushcclosure(state, lua_require, 2);
    lua_setfield(state, 1, "require");
    push_json_module(state);
    lua_setfield(state, 1, "json");
}

std::span<const BuiltInModule> built_in_modules() {
    static constexpr BuiltInModule kModules[] = {
        {"schema", push_schema_module}, {"json", push_json_module}, {"geo", push_geo_module}};
    return kModules;
}

LoadError load_error(const NamespaceSources& sources, const std::string& file,
                     std::string message) {
    message.resize(std::min(message.find("\nstack traceback:"), message.size()));
    LoadError error{file, 0, message};
    const auto try_file = [&](const std::string& path) {
        std::size_t colon = message.find(':');
        if (colon == std::string::npos || !is_name_of({message.data(), colon}, path)) return false;
        const char* end = message.data() + message.size();
        const auto [after, code] = std::from_chars(message.data() + colon + 1, end, error.line);
        if (code != std::errc() || after == end || *after != ':') return false;
        error.file = path;
        error.message = message.substr(static_cast<std::size_t>(after - message.data()) + 1);
        error.message.erase(0, error.message.find_first_not_of(' '));
        return true;
    };
    for (const ScriptFile& each : sources.files)
        if (try_file(each.path)) return error;
    for (const auto& [name, module] : sources.app->modules)
        if (try_file(module.path)) return error;
    return error;
}

Loaded load_generation(Runtime& runtime, std::uint64_t number, const NamespaceSources& sources,
                       std::vector<LoadError>* all_errors) {
    lua_State* state = runtime.state();
    const int base = lua_gettop(state);
    auto generation = std::make_shared<Generation>(runtime, number, sources);
    const auto fail = [&](const std::string& file, const Error& error) {
        generation->retire();
        lua_settop(state, base);
        return Loaded{nullptr, load_error(sources, file, error.message)};
    };

    const std::string& first = sources.files.front().path;
    if (auto pushed = runtime.push_environment(); !pushed) return fail(first, pushed.error());
    const int environment = lua_gettop(state);
    lua_pushvalue(state, environment);
    auto installed = Vm::protect(state, 1, [&](lua_State* L) {
        generation->open(L);
        install_api(L, generation);
        return 0;
    });
    if (!installed) return fail(first, installed.error());
    for (const ScriptFile& file : sources.files) {
        auto ran = run_file(runtime, *generation, file, environment);
        if (ran) continue;
        if (!all_errors) return fail(file.path, ran.error());
        all_errors->push_back(load_error(sources, file.path, ran.error().message));
    }
    lua_settop(state, base);
    return {std::move(generation), std::nullopt};
}

}  // namespace moonwire::script
