#pragma once

#include <lua.hpp>
#include <string>
#include <string_view>

#include "core/script/geo_module.hpp"
#include "core/script/json_module.hpp"
#include "core/script/schema.hpp"
#include "core/script/values.hpp"
#include "core/script/vm.hpp"

namespace moonwire::script {

/// A Vm with one environment, as a host would furnish it with values, json and schema.
struct Sandbox {
    explicit Sandbox(std::size_t memory_limit_bytes = 0) : vm(memory_limit_bytes) {
        REQUIRE(vm.push_environment());
        const auto furnished = Vm::protect(vm.state(), 1, [](lua_State* state) {
            install_values(state);
            push_json_module(state);
            lua_setfield(state, -2, "json");
            push_schema_module(state);
            lua_setfield(state, -2, "schema");
            push_geo_module(state);
            lua_setfield(state, -2, "geo");
            return 1;
        });
        REQUIRE(furnished);
        environment = lua_gettop(vm.state());
    }

    /// Runs a chunk; its one result is left on the stack.
    Result<void> run(std::string_view source) {
        if (auto loaded = vm.load(source, "test.lua", environment); !loaded) return loaded;
        return vm.call(0, 1);
    }

    /// The chunk's result by tostring, or "error: " and the first line of what went wrong.
    std::string eval(std::string_view source) {
        lua_State* state = vm.state();
        const int top = lua_gettop(state);
        std::string text;
        if (auto done = run(source); !done) {
            text = "error: " + done.error().message.substr(0, done.error().message.find('\n'));
        } else {
            lua_getfield(state, environment, "tostring");
            lua_insert(state, -2);
            lua_call(state, 1, 1);
            std::size_t length = 0;
            const char* data = lua_tolstring(state, -1, &length);
            text.assign(data, length);
        }
        lua_settop(state, top);
        return text;
    }

    Vm vm;
    int environment = 0;
};

}  // namespace moonwire::script
