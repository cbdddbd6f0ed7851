#include "core/script/api.hpp"
#include "core/script/chain.hpp"
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

}  // namespace

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

namespace {

/// What the function called by the name at `name` returns for the values behind it, or nil, why,
/// and the code of a fail().
int ask(lua_State* state, std::string_view nsp, int name, Duration timeout) {
    Runtime& runtime = Runtime::of(state);
    std::string function(check_text(state, name));
    runtime.encoded.clear();
    if (auto done = encode_json_array(state, "", name + 1, lua_gettop(state), runtime.encoded);
        !done)
        return luaL_error(state, "%s", done.error().message.c_str());
    socketio::OwnedPayload arguments({runtime.encoded.json, runtime.encoded.attachments});
    const auto vm = find_vm(*runtime.owner, nsp);
    if (!vm) {
        lua_pushnil(state);
        push_string(state, "no such namespace " + std::string(nsp));
        return 2;
    }
    const std::string call = "ask (in " + runtime.owner->name() + ")";
    OriginPtr origin = make_origin(state, call.c_str());
    const auto& scheduler = runtime.scheduler;
    const WaitId wait = scheduler->begin_wait(state, "ask");
    scheduler->end_after(wait, timeout, [](lua_State* L) {
        lua_pushnil(L);
        lua_pushliteral(L, "timeout");
        return 2;
    });
    Served gone;
    gone.error = "the namespace is gone";
    vm->serve({std::move(function), std::move(arguments), std::move(origin)},
              {[home = &scheduler->home(), weak = std::weak_ptr(scheduler), wait](Served served) {
                   home->post([weak, wait, served = std::move(served)]() mutable {
                       if (const auto alive = weak.lock()) {
                           alive->end(wait, [served = std::move(served)](lua_State* L) {
                               return push_served(L, served);
                           });
                       }
                   });
               },
               std::move(gone)});
    return lua_yield(state, 0);
}

/// `ask("/ns", name, ...)`
int lua_ask(lua_State* state) {
    Runtime::of(state).refuse_while_loading(state, "ask");
    return ask(state, check_text(state, 1), 2, kAskTimeout);
}

}  // namespace

int chain_ask(lua_State* state) {
    Runtime& runtime = Runtime::of(state);
    runtime.refuse_while_loading(state, "ask");
    const Chain chain = read_chain(state, 1);
    const bool own = chain.scope == Chain::Scope::own;
    if ((!own && chain.scope != Chain::Scope::other) || !chain.target.rooms.empty())
        return luaL_error(state, "ask is for namespaces");
    return ask(state, own ? runtime.owner->name() : chain.other, 2,
               chain.timeout.value_or(kAskTimeout));
}

void install_asking(lua_State* state) {
    const luaL_Reg functions[] = {{"ask", lua_ask}, {nullptr, nullptr}};
    install_functions(state, 1, functions);
}

}  // namespace moonwire::script
