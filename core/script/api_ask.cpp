#include "core/script/api.hpp"
#include "core/script/json_decode.hpp"
#include "core/script/namespace_vm.hpp"

namespace moonwire::script {
namespace {

/// A family's member is served by the family's scripts.
std::shared_ptr<NamespaceVm> find_vm(const NamespaceVm& owner, std::string_view name) {
    if (auto vm = owner.directory().find(name)) return vm;
    const auto nsp = owner.server().find(name);
    return nsp ? std::dynamic_pointer_cast<NamespaceVm>(nsp->handler()) : nullptr;
}

int push_served(lua_State* state, const Served& served) {
    if (served.ok) {
        const auto& values = served.values;
        auto count = decode_json_array(state, values.json, values.attachments, 0);
        if (count) return *count;
        lua_pushnil(state);
        push_string(state, count.error().message);
        return 2;
    }
    lua_pushnil(state);
    push_string(state, served.error);
    if (served.code.empty()) return 2;
    push_string(state, served.code);
    return 3;
}

/// `ask("/ns", name, ...)`: what the function returned, or nil, why, and the code of a fail().
int lua_ask(lua_State* state) {
    Runtime& runtime = Runtime::of(state);
    const std::string_view nsp = check_text(state, 1);
    std::string function(check_text(state, 2));
    runtime.refuse_while_loading(state, "ask");
    runtime.encoded.clear();
    if (auto done = encode_json_array(state, "", 3, lua_gettop(state), runtime.encoded); !done)
        return luaL_error(state, "%s", done.error().message.c_str());
    socketio::OwnedPayload arguments({runtime.encoded.json, runtime.encoded.attachments});
    const auto vm = find_vm(*runtime.owner, nsp);
    if (!vm) {
        lua_pushnil(state);
        lua_pushfstring(state, "no such namespace %s", lua_tostring(state, 1));
        return 2;
    }
    const WaitId wait = runtime.scheduler->begin_wait(state, "ask");
    Served gone;
    gone.error = "the namespace is gone";
    vm->serve(std::move(function), std::move(arguments),
              {[home = &runtime.scheduler->home(), weak = std::weak_ptr(runtime.scheduler),
                wait](Served served) {
                   home->post([weak, wait, served = std::move(served)]() mutable {
                       if (const auto scheduler = weak.lock()) {
                           scheduler->end(wait, [served = std::move(served)](lua_State* L) {
                               return push_served(L, served);
                           });
                       }
                   });
               },
               std::move(gone)});
    return lua_yield(state, 0);
}

}  // namespace

void install_asking(lua_State* state) {
    const luaL_Reg functions[] = {{"ask", lua_ask}, {nullptr, nullptr}};
    install_functions(state, 1, functions);
}

}  // namespace moonwire::script
