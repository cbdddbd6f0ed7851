#pragma once

#include <lua.hpp>
#include <optional>
#include <string>
#include <string_view>

#include "core/script/namespace_store.hpp"
#include "core/script/runtime.hpp"

// What the files of `ns.store` share. All of it raises, and runs protected.
namespace moonwire::script {

/// Longest key, name of a stream or recipient; more is `nil, "key too long"`.
inline constexpr std::size_t kMaxKeyBytes = 1024;
/// Most that a scan or a history gives at once, and what they give unless told.
inline constexpr std::int64_t kMaxPage = 1000, kUsualPage = 100;

/// Begins a call of `ns.store`: checks that the store is at 1, that a task runs and no file loads,
/// and that there is a store. Null: why there is none is pushed, return 2.
NamespaceStore* begin_store_call(lua_State* state, const char* call);

/// nil and the reason.
int refuse(lua_State* state, const char* why);

/// A key or name at `index`; nothing if it is too long or empty: then it is refused, return 2.
std::optional<std::string> take_key(lua_State* state, int index);
/// The encoded value in the Runtime's buffer as it is kept; nothing if it is too large: then it is
/// refused, return 2.
std::optional<std::string> take_encoded(lua_State* state, const NamespaceStore& store);
/// The same of the value at `index`.
std::optional<std::string> take_value(lua_State* state, int index, const NamespaceStore& store);

/// Pushes what a call returns. Owns nothing that an error may not leave.
using ResultPusher = Function<int(lua_State*, plugin::StoreResult&)>;

/// Asks for one operation, in the running task's transaction if it is in one, and yields until it
/// is answered: with what `push` pushes, or nil and why not.
int ask_store(lua_State* state, const char* call, NamespaceStore& store,
              plugin::StoreOperation operation, std::optional<bool> durable, ResultPusher push);

// The methods, a file each.
extern const luaL_Reg kStoreValueMethods[];
extern const luaL_Reg kStoreQueueMethods[];

}  // namespace moonwire::script
