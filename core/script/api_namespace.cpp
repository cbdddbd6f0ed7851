#include "core/script/api.hpp"
#include "core/script/arguments.hpp"
#include "core/script/chain.hpp"
#include "core/script/namespace_object.hpp"
#include "core/script/schema_node.hpp"
#include "core/socketio/packet.hpp"

namespace moonwire::script {
namespace {

enum Field { kName = 1, kState, kStore };
constexpr FieldName kFields[] = {
    {"name", kName}, {"state", kState}, {"store", kStore}, {nullptr, 0}};

NamespaceObject& check_namespace(lua_State* state) {
    auto* object = to_object<NamespaceObject>(state, 1, kNamespaceMetatableKey);
    if (!object) luaL_typerror(state, 1, "namespace (called with ':'?)");
    return *object;
}

/// The generation that is being loaded; raises later.
Generation& registering(lua_State* state, const char* call) {
    Generation& generation = *check_namespace(state).generation;
    if (generation.phase() != Generation::Phase::loading)
        luaL_error(state, "ns:%s can only be used while the file loads", call);
    return generation;
}

/// The name at 2 of an event or a function.
std::string_view check_name(lua_State* state, bool event) {
    const std::string_view name = check_text(state, 2);
    luaL_argcheck(state, !name.empty(), 2, "a name expected");
    if (event && socketio::is_reserved_event(name))
        luaL_error(state, "'%s' is the protocol's own event", lua_tostring(state, 2));
    return name;
}

template <typename T>
void refuse_second(lua_State* state, const ByName<T>& table, std::string_view name,
                   const char* what) {
    const auto found = table.find(name);
    if (found != table.end())
        luaL_error(state, "a second %s for '%s' (the first is at %s)", what, lua_tostring(state, 2),
                   found->second.position.c_str());
}

/// Registers the function at `index` under the name at 2.
template <typename T>
T& register_named(lua_State* state, Generation& generation, ByName<T>& table, int index, bool event,
                  const char* what) {
    const std::string_view name = check_name(state, event);
    luaL_checktype(state, index, LUA_TFUNCTION);
    refuse_second(state, table, name, what);
    lua_pushvalue(state, index);
    const int slot = generation.keep(state);
    T& entry = table[std::string(name)];
    entry.slot = slot;
    entry.position = caller_position(state);
    return entry;
}

int append_to(lua_State* state, const char* call, Chained Generation::*list) {
    Generation& generation = registering(state, call);
    luaL_checktype(state, 2, LUA_TFUNCTION);
    lua_settop(state, 2);
    generation.append(state, generation.*list);
    return 0;
}

int add_to(lua_State* state, const char* call, std::vector<int> Generation::*list) {
    Generation& generation = registering(state, call);
    luaL_checktype(state, 2, LUA_TFUNCTION);
    lua_settop(state, 2);
    (generation.*list).push_back(generation.keep(state));
    return 0;
}

/// What else may stand in the list of an event's schemas.
struct Terms {
    bool check = true;  // the broker checks what clients send
    bool any = false;
};

Terms read_terms(lua_State* state, int index, Signature& signature) {
    Terms terms;
    lua_pushnil(state);
    while (lua_next(state, index)) {
        if (lua_type(state, -2) == LUA_TSTRING) {
            const std::string_view name = text_at(state, -2);
            if (name == "returns" && is_schema(state, -1)) {
                signature.returns = to_schema(state, -1);
            } else if (name == "description" && lua_type(state, -1) == LUA_TSTRING) {
                signature.description = text_at(state, -1);
            } else if (name == "check" && lua_isboolean(state, -1)) {
                terms.check = lua_toboolean(state, -1);
            } else {
                luaL_error(state,
                           "beside its schemas an event may have returns (a schema), check (true "
                           "or false) and description (a string), not %s = a %s",
                           lua_tostring(state, -2), luaL_typename(state, -1));
            }
            terms.any = true;
        }
        lua_pop(state, 1);
    }
    return terms;
}

/// Leaves the array of the schemas at `index` on top: one, or a list with what read_terms reads.
/// Returns whether they are to be checked; `listed` is whether the client's path says which.
bool push_schemas(lua_State* state, int index, Signature& signature, bool& listed) {
    lua_newtable(state);
    signature.declared = true;
    listed = false;
    if (is_schema(state, index)) {
        signature.arguments.push_back(to_schema(state, index));
        lua_pushvalue(state, index);
        lua_rawseti(state, -2, 1);
        return true;
    }
    const char* const expected = "a schema, or a list of schemas, expected";
    luaL_argcheck(state, lua_istable(state, index), 3, expected);
    const Terms terms = read_terms(state, index, signature);
    const auto count = static_cast<int>(lua_objlen(state, index));
    luaL_argcheck(state, count > 0 || terms.any, 3, expected);
    for (int i = 1; i <= count; ++i) {
        lua_rawgeti(state, index, i);
        luaL_argcheck(state, is_schema(state, -1), 3, "the list must hold schemas only");
        signature.arguments.push_back(to_schema(state, -1));
        lua_rawseti(state, -2, i);
    }
    listed = count > 1 || !terms.any;
    return terms.check && count > 0;
}

/// Those of the schemas in the array on top that are schema.raw().
RawArguments find_raw(lua_State* state) {
    RawArguments raw = 0;
    const auto count = static_cast<int>(lua_objlen(state, -1));
    for (int i = 1; i <= count; ++i) {
        lua_rawgeti(state, -1, i);
        const bool is_raw = to_schema(state, lua_gettop(state))->is_raw;
        lua_pop(state, 1);
        if (!is_raw) continue;
        if (i > kMaxRawArguments)
            luaL_error(state, "only the first %d arguments may be schema.raw()", kMaxRawArguments);
        raw |= RawArguments{1} << (i - 1);
    }
    return raw;
}

int ns_on(lua_State* state) {
    Generation& generation = registering(state, "on");
    lua_settop(state, lua_gettop(state) > 3 ? 4 : 3);
    const bool checked = lua_gettop(state) == 4;
    EventHandler& handler =
        register_named(state, generation, generation.events, checked ? 4 : 3, true, "handler");
    if (!checked) return 0;
    const bool by_broker = push_schemas(state, 3, handler.signature, handler.listed);
    handler.raw = find_raw(state);
    if (!by_broker) return 0;
    lua_pushvalue(state, -1);
    handler.schemas = generation.keep(state);
    lua_pushboolean(state, handler.listed);
    lua_pushcclosure(state, lua_check_arguments, 2);
    handler.checker = generation.keep(state);
    return 0;
}

int ns_relay(lua_State* state) {
    Generation& generation = registering(state, "relay");
    const std::string name(check_name(state, true));
    refuse_second(state, generation.events, name, "handler");
    lua_settop(state, 3);
    Relay relay = read_relay(state, 3);
    if (relay.rate) relay.rate_index = generation.relay_rates++;
    EventHandler& handler = generation.events[name];
    handler.position = caller_position(state);
    if (lua_istable(state, 3)) lua_getfield(state, 3, "schema");
    else lua_pushnil(state);
    if (!lua_isnil(state, 4)) {
        if (push_schemas(state, 4, handler.signature, handler.listed))
            handler.schemas = generation.keep(state);
    }
    handler.relay = std::make_shared<const Relay>(std::move(relay));
    return 0;
}

int ns_on_server(lua_State* state) {
    Generation& generation = registering(state, "on_server");
    register_named(state, generation, generation.server_events, 3, true, "server handler");
    return 0;
}

int ns_serve(lua_State* state) {
    Generation& generation = registering(state, "serve");
    register_named(state, generation, generation.services, 3, false, "function");
    return 0;
}

int ns_on_schedule(lua_State* state) {
    Generation& generation = registering(state, "on_schedule");
    register_named(state, generation, generation.schedules, 3, false, "schedule handler");
    return 0;
}

int ns_emits(lua_State* state) {
    Generation& generation = registering(state, "emits");
    const std::string name(check_name(state, true));
    if (generation.declarations.contains(name))
        return luaL_error(state, "a second declaration of '%s' (the first is at %s)", name.c_str(),
                          generation.declarations[name].position.c_str());
    lua_settop(state, 3);
    Declaration& declaration = generation.declarations[name];
    declaration.position = caller_position(state);
    bool listed = false;
    push_schemas(state, 3, declaration.signature, listed);
    return 0;
}

int ns_use(lua_State* state) { return append_to(state, "use", &Generation::middleware); }
int ns_on_any(lua_State* state) { return append_to(state, "on_any", &Generation::any); }
int ns_use_event(lua_State* state) {
    return append_to(state, "use_event", &Generation::event_middleware);
}
int ns_on_reload(lua_State* state) {
    return append_to(state, "on_reload", &Generation::migrations);
}
int ns_on_connect(lua_State* state) { return add_to(state, "on_connect", &Generation::connects); }
int ns_on_disconnecting(lua_State* state) {
    return add_to(state, "on_disconnecting", &Generation::disconnectings);
}
int ns_on_disconnect(lua_State* state) {
    return add_to(state, "on_disconnect", &Generation::disconnects);
}
int ns_on_expired(lua_State* state) { return add_to(state, "on_expired", &Generation::expirations); }

int index_namespace(lua_State* state) {
    const Generation& generation = *check_namespace(state).generation;
    switch (find_member(state, "namespace")) {
        case kName: push_string(state, generation.nsp()); return 1;
        case kState:
            generation.runtime().refuse_while_loading(state, "ns.state");
            generation.runtime().state_table.push(state);
            return 1;
        case kStore: lua_rawgeti(state, LUA_REGISTRYINDEX, kStoreKey); return 1;
        default: return 1;  // the method
    }
}

int set_namespace_field(lua_State* state) {
    const Generation& generation = *check_namespace(state).generation;
    if (text_at(state, 2) != "state")
        return luaL_error(state, "a namespace has no field '%s' to set", lua_tostring(state, 2));
    generation.runtime().refuse_while_loading(state, "ns.state");
    luaL_argcheck(state, lua_istable(state, 3), 3, "ns.state is a table");
    lua_settop(state, 3);
    generation.runtime().state_table = LuaRef::pop(state);
    return 0;
}

int namespace_to_string(lua_State* state) {
    lua_pushfstring(state, "namespace %s", check_namespace(state).generation->nsp().c_str());
    return 1;
}

}  // namespace

void register_namespaces(lua_State* state) {
    const luaL_Reg methods[] = {{"use", ns_use},
                                {"on_connect", ns_on_connect},
                                {"on_disconnecting", ns_on_disconnecting},
                                {"on_disconnect", ns_on_disconnect},
                                {"on_expired", ns_on_expired},
                                {"on", ns_on},
                                {"on_any", ns_on_any},
                                {"use_event", ns_use_event},
                                {"emits", ns_emits},
                                {"on_server", ns_on_server},
                                {"relay", ns_relay},
                                {"serve", ns_serve},
                                {"on_schedule", ns_on_schedule},
                                {"require_auth", ns_require_auth},
                                {"on_reload", ns_on_reload},
                                {nullptr, nullptr}};
    make_metatable(state, kNamespaceMetatableKey, "namespace", collect_object<NamespaceObject>,
                   index_namespace, methods, kFields);
    lua_rawgeti(state, LUA_REGISTRYINDEX, kNamespaceMetatableKey);
    lua_pushcfunction(state, set_namespace_field);
    lua_setfield(state, -2, "__newindex");
    lua_pushcfunction(state, namespace_to_string);
    lua_setfield(state, -2, "__tostring");
    // A namespace is the chain to everybody in it, too.
    lua_getfield(state, -1, "__index");
    lua_getupvalue(state, -1, 1);
    luaL_register(state, nullptr, chain_methods());
    lua_pop(state, 3);
}

}  // namespace moonwire::script
