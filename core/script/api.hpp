#pragma once

#include <lua.hpp>
#include <memory>
#include <optional>

#include "core/base/clock.hpp"
#include "core/script/generation.hpp"

namespace moonwire::script {

/// Sets up what all generations of a Lua state share: metatables, sentinels, the prelude. Once a
/// Runtime, protected.
void register_api(lua_State* state);

/// Fills the environment at stack index 1 for this generation. Protected.
void install_api(lua_State* state, const std::shared_ptr<Generation>& generation);

// The parts of the two, a file each. `install_*` find the environment at index 1 and at 2 the
// userdata that shares ownership of the generation.
void register_chains(lua_State* state);
void register_namespaces(lua_State* state);
void register_sockets(lua_State* state);
void register_timers(lua_State* state);
void register_prelude(lua_State* state);
void register_locks(lua_State* state);
void register_store(lua_State* state);
void register_metrics(lua_State* state);
void install_loading(lua_State* state);
void install_sending(lua_State* state);
void install_time(lua_State* state);
void install_logging(lua_State* state);
void install_asking(lua_State* state);
void install_routing(lua_State* state);
void install_request_hooks(lua_State* state);
void install_suspicion_hooks(lua_State* state);
void install_http(lua_State* state);
void install_metrics(lua_State* state);

/// Sets these functions in the table at `table`, with the generation at index 2 as their upvalue.
void install_functions(lua_State* state, int table, const luaL_Reg* functions);
/// The generation of a function set so.
Generation& generation_of(lua_State* state);

/// Keeps under `key` a metatable `name` whose objects are destroyed by `collect` and indexed by
/// `index`, which gets as upvalue a table of `methods` and of the `fields`' numbers.
void make_metatable(lua_State* state, int key, const char* name, lua_CFunction collect,
                    lua_CFunction index, const luaL_Reg* methods, const FieldName* fields);
/// For an `index` function, with the object at 1 and the name at 2: pushes the method and returns
/// 0, or returns the field's number; raises for unknown names.
int find_member(lua_State* state, const char* type);

/// Seconds at `index` as a duration; raises unless finite and not negative.
Duration check_seconds(lua_State* state, int index);

struct Served;
/// Pushes what `ask` returns: the values, or nil, why, and the code of a fail(). Protected.
int push_served(lua_State* state, const Served& served);

/// "file:line" of the Lua code that called the running C function, or of the one `level` calls up.
std::string caller_position(lua_State* state, int level = 1);

/// What runs the lists of handlers (kPreludeKey holds them in this order).
enum class Prelude : int { run_all = 1, run_event, gather, collect, lock, transaction, awaited };
void push_prelude(lua_State* state, Prelude function);

// Methods of namespaces and sockets that are about tokens.
int ns_require_auth(lua_State* state);
int socket_refresh(lua_State* state);

// C halves of the prelude's lock().
/// `acquire(ns, key, fn)`: waits until the running task holds the key, or returns why it can't.
int lua_acquire(lua_State* state);
/// `release(key, ok, ...)`: gives it back, then returns or raises the rest.
int lua_release(lua_State* state);

// And of its transaction().
/// `begin(store, fn, options)`: waits until the running task's transaction is open, or returns why
/// it can't be.
int lua_begin_transaction(lua_State* state);
/// `commit(ok, ...)`: rolls back and raises again, or waits for the commit; why it failed.
int lua_commit_transaction(lua_State* state);

}  // namespace moonwire::script
