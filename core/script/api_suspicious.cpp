// `on_suspicious`: a script hears of limits breached, refusals and failed authentications.
#include "core/script/api.hpp"
#include "core/script/namespace_vm.hpp"
#include "core/script/tasks.hpp"

namespace moonwire::script {
namespace {

constexpr const char* kName = "on_suspicious";

/// `on_suspicious(fn(incident))`
int lua_on_suspicious(lua_State* state) {
    Generation& generation = generation_of(state);
    if (generation.phase() != Generation::Phase::loading)
        return luaL_error(state, "on_suspicious can only be used while a file loads");
    luaL_checktype(state, 1, LUA_TFUNCTION);
    lua_settop(state, 1);
    generation.suspicions.push_back(generation.keep(state));
    return 0;
}

void push_suspicion(lua_State* state, const Suspicion& suspicion, double time) {
    lua_createtable(state, 0, 8);
    const auto text = [&](const char* name, std::string_view value) {
        if (value.empty()) return;
        push_string(state, value);
        lua_setfield(state, -2, name);
    };
    const auto number = [&](const char* name, double value) {
        lua_pushnumber(state, value);
        lua_setfield(state, -2, name);
    };
    text("kind", to_string(suspicion.kind));
    text("address", suspicion.address);
    text("user", suspicion.user);
    text("nsp", suspicion.nsp);
    text("socket", suspicion.socket);
    text("detail", suspicion.detail);
    number("time", time);
    number("count", static_cast<double>(suspicion.count));
    number("skipped", static_cast<double>(suspicion.skipped));
}

}  // namespace

void install_suspicion_hooks(lua_State* state) {
    const luaL_Reg functions[] = {{kName, lua_on_suspicious}, {nullptr, nullptr}};
    install_functions(state, 1, functions);
}

void NamespaceVm::on_suspicion(std::shared_ptr<const Suspicion> suspicion) {
    home_.post([self = shared_from_this(), suspicion = std::move(suspicion)] {
        self->run_suspicion_hooks(*suspicion);
    });
}

void NamespaceVm::run_suspicion_hooks(const Suspicion& suspicion) {
    if (!runtime_) return;
    const auto generation = generation_;
    const double time = home_.wall_now();
    for (const int slot : generation->suspicions) {
        std::string error;
        Scheduler::Task* task = scheduler().open(
            {generation, TaskKind::foreground, {}},
            [&](lua_State* state) {
                generation->push(state, slot);
                push_suspicion(state, suspicion, time);
                return 1;
            },
            &error);
        if (!task) {
            log_task_not_started(*generation, kName, error);
            continue;
        }
        scheduler().set_done(*task, [generation](Outcome& outcome) {
            report_background(*generation, kName, outcome);
        });
        scheduler().run(*task);
        if (!runtime_) return;
    }
}

}  // namespace moonwire::script
