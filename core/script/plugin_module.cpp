#include "core/script/plugin_module.hpp"

#include <utility>
#include <vector>

#include "core/script/api.hpp"
#include "core/script/extensions.hpp"
#include "core/script/json_decode.hpp"
#include "core/script/namespace_vm.hpp"
#include "core/script/once.hpp"
#include "core/script/plugin_script.hpp"

namespace moonwire::script {
namespace {

/// One function of a plugin's; the extensions that hold it live as long as any of their closures.
struct PluginFunction {
    std::shared_ptr<const Extensions> extensions;
    std::string name;  // "plugin.jwt.verify"
    const plugin::Module::Immediate* immediate;
    const plugin::Module::Waiting* waiting;
};

const PluginFunction& function_of(lua_State* state) {
    return *static_cast<PluginFunction*>(lua_touserdata(state, lua_upvalueindex(1)));
}

/// The arguments on the stack; raises, putting the error down to the function `level` calls up.
plugin::Call read_call(lua_State* state, const PluginFunction& function, int level) {
    Runtime& runtime = Runtime::of(state);
    runtime.encoded.clear();
    if (auto done = encode_json_array(state, "", 1, lua_gettop(state), runtime.encoded); !done)
        raise_at(state, level, "%s", (function.name + ": " + done.error().message).c_str());
    plugin::Call call;
    if (runtime.owner) call.nsp = runtime.owner->name();
    call.arguments.json = runtime.encoded.json;
    for (const SharedBytes& each : runtime.encoded.attachments)
        call.arguments.attachments.emplace_back(each.view());
    return call;
}

int push_values(lua_State* state, const PluginFunction& function, const plugin::Values& values) {
    std::vector<SharedBytes> attachments;
    for (const std::string& each : values.attachments)
        attachments.push_back(SharedBytes::copy(each));
    auto count = decode_json_array(state, values.json, attachments, 0);
    if (count) return *count;
    return luaL_error(state, "%s answered with what is no list of values: %s",
                      function.name.c_str(), count.error().message.c_str());
}

/// Returns the values, or raises what the plugin raised.
int finish(lua_State* state, const PluginFunction& function, const plugin::Answer& answer) {
    using Kind = plugin::Answer::Kind;
    switch (answer.kind) {
        case Kind::values: return push_values(state, function, answer.results);
        case Kind::nothing:
            lua_pushnil(state);
            push_string(state, answer.message);
            return 2;
        case Kind::failure: {
            int data = 0;
            if (!answer.data_json.empty()) {
                if (!decode_json(state, answer.data_json)) lua_pushnil(state);
                data = lua_gettop(state);
            }
            return raise_failure(state, answer.code.empty() ? nullptr : answer.code.c_str(),
                                 answer.message.c_str(), data);
        }
        case Kind::error: break;
    }
    return luaL_error(state, "%s", answer.message.c_str());
}

int call_immediate(lua_State* state) {
    const PluginFunction& function = function_of(state);
    const plugin::Call call = read_call(state, function, 1);
    return finish(state, function, (*function.immediate)(call));
}

/// An answer on its way through Lua: a userdata, for a coroutine that is resumed can't raise in C.
using AnswerBox = plugin::Answer;

/// The half of a waiting function that waits; the prelude's `awaited` gives its result to
/// finish_waiting.
int call_waiting(lua_State* state) {
    const PluginFunction& function = function_of(state);
    Runtime& runtime = Runtime::of(state);
    // Level 2 is whoever called the prelude's function.
    runtime.refuse_while_loading(state, function.name.c_str(), 2);
    plugin::Call call = read_call(state, function, 2);
    const auto& scheduler = runtime.scheduler;
    const WaitId wait = scheduler->begin_wait(state, function.name.c_str(), 2);
    Function<void(plugin::Answer)> resume = [weak = std::weak_ptr(scheduler),
                                             wait](plugin::Answer answer) {
        // Whoever answers late must not find a reactor that is gone.
        const auto scheduler = weak.lock();
        if (!scheduler) return;
        scheduler->home().post([weak, wait, answer = std::move(answer)]() mutable {
            const auto alive = weak.lock();
            if (!alive) return;
            alive->end(wait, [answer = std::move(answer)](lua_State* L) {
                push_object<AnswerBox>(L, kPluginAnswerMetatableKey, answer);
                return 1;
            });
        });
    };
    (*function.waiting)(
        std::move(call),
        share_once(std::move(resume), plugin::Answer::error(function.name + " gave no answer")));
    return lua_yield(state, 0);
}

int finish_waiting(lua_State* state) {
    const auto* answer = to_object<AnswerBox>(state, 1, kPluginAnswerMetatableKey);
    return finish(state, function_of(state), *answer);
}

void push_closure(lua_State* state, lua_CFunction function, int box) {
    lua_pushvalue(state, box);
    lua_pushcclosure(state, function, 1);
}

void register_box(lua_State* state, int key, lua_CFunction collect) {
    lua_newtable(state);
    lua_pushcfunction(state, collect);
    lua_setfield(state, -2, "__gc");
    lua_rawseti(state, LUA_REGISTRYINDEX, key);
}

}  // namespace

void register_plugin_functions(lua_State* state) {
    register_box(state, kPluginFunctionMetatableKey, collect_object<PluginFunction>);
    register_box(state, kPluginAnswerMetatableKey, collect_object<AnswerBox>);
}

void push_plugin_module(lua_State* state, std::string_view plugin, int owner) {
    const std::string name(plugin);
    const auto extensions = Runtime::of(state).limits.extensions;
    if (!extensions || !extensions->modules.contains(name))
        luaL_error(state,
                   "module 'plugin.%s' not found: no plugin of that name that offers functions is "
                   "loaded (plugins.load in moonwire.toml)",
                   name.c_str());
    const plugin::Module& offered = extensions->modules.find(name)->second;
    lua_newtable(state);
    const int module = lua_gettop(state);
    const auto add = [&](const std::string& function, const plugin::Module::Immediate* immediate,
                         const plugin::Module::Waiting* waiting) {
        push_object<PluginFunction>(state, kPluginFunctionMetatableKey, extensions,
                                    "plugin." + name + "." + function, immediate, waiting);
        const int box = lua_gettop(state);
        if (immediate) {
            push_closure(state, call_immediate, box);
        } else {
            push_prelude(state, Prelude::awaited);
            push_closure(state, call_waiting, box);
            push_closure(state, finish_waiting, box);
            lua_call(state, 2, 1);
        }
        lua_setfield(state, module, function.c_str());
        lua_settop(state, module);
    };
    for (const auto& [function, immediate] : offered.immediate) add(function, &immediate, nullptr);
    for (const auto& [function, waiting] : offered.waiting) add(function, nullptr, &waiting);
    if (!offered.script.empty()) run_plugin_script(state, name, offered, owner);
}

}  // namespace moonwire::script
