// `ns.store`: values and streams, and what all its calls go through.
#include "core/script/api_store.hpp"

#include <utility>

#include "core/script/api.hpp"
#include "core/script/namespace_vm.hpp"
#include "core/script/option_table.hpp"
#include "core/script/stored_value.hpp"

namespace moonwire::script {

using namespace plugin;

NamespaceStore* begin_store_call(lua_State* state, const char* call) {
    if (lua_type(state, 1) != LUA_TUSERDATA || !has_metatable(state, 1, kStoreMetatableKey))
        luaL_typerror(state, 1, "store (called with ':'?)");
    Runtime& runtime = Runtime::of(state);
    runtime.refuse_while_loading(state, call);
    if (!runtime.store) refuse(state, "there is no store here");
    else if (!runtime.scheduler->running())
        luaL_error(state, "%s can only be used in a handler, a timer or a route", call);
    return runtime.store.get();
}

int refuse(lua_State* state, const char* why) {
    lua_pushnil(state);
    lua_pushstring(state, why);
    return 2;
}

std::optional<std::string> take_key(lua_State* state, int index) {
    const std::string_view key = check_text(state, index);
    if (!key.empty() && key.size() <= kMaxKeyBytes) return std::string(key);
    refuse(state, key.empty() ? "empty key" : "key too long");
    return std::nullopt;
}

std::optional<std::string> take_encoded(lua_State* state, const NamespaceStore& store) {
    std::string packed = pack_value(Runtime::of(state).encoded);
    if (packed.size() <= store.options().max_value_bytes) return packed;
    refuse(state, "too large");
    return std::nullopt;
}

std::optional<std::string> take_value(lua_State* state, int index, const NamespaceStore& store) {
    luaL_checkany(state, index);
    Encoded& encoded = Runtime::of(state).encoded;
    encoded.clear();
    if (auto done = encode_json(state, index, encoded, BinaryValues::as_attachments); !done)
        luaL_error(state, "%s", done.error().message.c_str());
    return take_encoded(state, store);
}

int ask_store(lua_State* state, const char* call, NamespaceStore& store, StoreOperation operation,
              std::optional<bool> durable, ResultPusher push) {
    const auto& scheduler = Runtime::of(state).scheduler;
    const TaskInfo& task = *scheduler->running();
    StoreTransaction* transaction = store.transaction_of(task.id);
    if (transaction && transaction->overdue())
        return luaL_error(state, "the transaction took too long and was rolled back");
    if (transaction && transaction->size() >= NamespaceStore::kMaxOperations)
        return refuse(state, "too many operations in a transaction");
    if (!transaction && is_write(operation) && store.transaction_task() != 0 &&
        waits_for(task, store.transaction_task()))
        return luaL_error(state, "%s: a transaction waits for this, which waits for its end", call);
    if (transaction && std::holds_alternative<StoreSet>(operation)) {
        store.add(*transaction, std::move(operation));
        StoreResult result;
        return push(state, result);
    }
    const WaitId wait = scheduler->begin_wait(state, call);
    auto done = [weak = std::weak_ptr(scheduler), wait,
                 push = std::move(push)](StoreReply reply) mutable {
        const auto alive = weak.lock();
        if (!alive) return;
        alive->end(wait, [reply = std::move(reply), push = std::move(push)](lua_State* L) mutable {
            if (!reply.error.empty()) return refuse(L, reply.error.c_str());
            return push(L, reply.results.back());
        });
    };
    if (transaction) {
        store.run_in(*transaction, std::move(operation), std::move(done));
    } else {
        NamespaceStore::Operations operations;
        operations.push_back(std::move(operation));
        store.run(std::move(operations), durable.value_or(store.options().durable),
                  std::move(done));
    }
    return lua_yield(state, 0);
}

namespace {

StoreTime after_now(const NamespaceStore& store, std::optional<std::int64_t> milliseconds) {
    return milliseconds ? store.now() + *milliseconds : kNever;
}

int push_true(lua_State* state, StoreResult&) {
    lua_pushboolean(state, 1);
    return 1;
}

int push_found(lua_State* state, StoreResult& result) {
    lua_pushboolean(state, result.found);
    return 1;
}

int push_number(lua_State* state, StoreResult& result) {
    lua_pushnumber(state, static_cast<double>(result.number));
    return 1;
}

int store_get(lua_State* state) {
    NamespaceStore* store = begin_store_call(state, "ns.store:get");
    if (!store) return 2;
    auto key = take_key(state, 2);
    if (!key) return 2;
    return ask_store(state, "ns.store:get", *store, StoreGet{*std::move(key)}, {},
                     [](lua_State* L, StoreResult& result) {
                         if (result.found) push_stored(L, std::move(result.value));
                         else lua_pushnil(L);
                         return 1;
                     });
}

int store_set(lua_State* state) {
    NamespaceStore* store = begin_store_call(state, "ns.store:set");
    if (!store) return 2;
    lua_settop(state, 4);
    const OptionTable options(state, 4, "ns.store:set", "ttl durable");
    luaL_argcheck(state, !lua_isnil(state, 3), 3, "a value expected; ns.store:delete(key) removes");
    auto key = take_key(state, 2);
    if (!key) return 2;
    auto value = take_value(state, 3, *store);
    if (!value) return 2;
    return ask_store(state, "ns.store:set", *store,
                     StoreSet{*std::move(key), *std::move(value),
                              after_now(*store, options.milliseconds("ttl"))},
                     options.boolean("durable"), push_true);
}

int store_delete(lua_State* state) {
    NamespaceStore* store = begin_store_call(state, "ns.store:delete");
    if (!store) return 2;
    const OptionTable options(state, 3, "ns.store:delete", "durable");
    auto key = take_key(state, 2);
    if (!key) return 2;
    return ask_store(state, "ns.store:delete", *store, StoreDelete{*std::move(key)},
                     options.boolean("durable"), push_found);
}

int push_entries(lua_State* state, StoreResult& result) {
    lua_createtable(state, static_cast<int>(result.entries.size()), 0);
    mark_array(state, -1);
    int n = 0;
    for (StoreEntry& entry : result.entries) {
        lua_createtable(state, 0, 2);
        push_string(state, entry.key);
        lua_setfield(state, -2, "key");
        push_stored(state, std::move(entry.value));
        lua_setfield(state, -2, "value");
        lua_rawseti(state, -2, ++n);
    }
    return 1;
}

int store_scan(lua_State* state) {
    NamespaceStore* store = begin_store_call(state, "ns.store:scan");
    if (!store) return 2;
    const OptionTable options(state, 3, "ns.store:scan", "limit after");
    StoreScan scan{.prefix = std::string(check_text(state, 2))};
    scan.limit =
        static_cast<std::size_t>(options.integer("limit", 1, kMaxPage).value_or(kUsualPage));
    scan.after = options.text("after").value_or("");
    return ask_store(state, "ns.store:scan", *store, std::move(scan), {}, push_entries);
}

int store_append(lua_State* state) {
    NamespaceStore* store = begin_store_call(state, "ns.store:append");
    if (!store) return 2;
    const OptionTable options(state, 4, "ns.store:append", "count bytes age durable");
    auto stream = take_key(state, 2);
    if (!stream) return 2;
    auto value = take_value(state, 3, *store);
    if (!value) return 2;
    const auto most = static_cast<std::int64_t>(store->options().stream_items);
    StoreAppend append{.list = *std::move(stream), .value = *std::move(value), .at = store->now()};
    append.expires = after_now(*store, options.milliseconds("age"));
    append.max_items = static_cast<std::size_t>(options.integer("count", 1, most).value_or(most));
    if (const auto bytes = options.integer("bytes", 1, std::int64_t{1} << 53))
        append.max_bytes = static_cast<std::size_t>(*bytes);
    return ask_store(state, "ns.store:append", *store, std::move(append),
                     options.boolean("durable"), push_number);
}

int push_items(lua_State* state, StoreResult& result) {
    lua_createtable(state, static_cast<int>(result.items.size()), 0);
    mark_array(state, -1);
    int n = 0;
    for (StoreItem& item : result.items) {
        lua_createtable(state, 0, 3);
        lua_pushnumber(state, static_cast<double>(item.id));
        lua_setfield(state, -2, "id");
        lua_pushnumber(state, static_cast<double>(item.at) / 1000);
        lua_setfield(state, -2, "at");
        push_stored(state, std::move(item.value));
        lua_setfield(state, -2, "value");
        lua_rawseti(state, -2, ++n);
    }
    return 1;
}

int store_history(lua_State* state) {
    NamespaceStore* store = begin_store_call(state, "ns.store:history");
    if (!store) return 2;
    constexpr std::int64_t kMaxId = std::int64_t{1} << 53;
    const OptionTable options(state, 3, "ns.store:history", "before after limit");
    auto stream = take_key(state, 2);
    if (!stream) return 2;
    const auto after = options.integer("after", 0, kMaxId);
    StoreRead read{.list = *std::move(stream), .after = after.value_or(0)};
    read.before = options.integer("before", 0, kMaxId).value_or(kNoId);
    read.limit =
        static_cast<std::size_t>(options.integer("limit", 1, kMaxPage).value_or(kUsualPage));
    read.newest = !after;
    return ask_store(state, "ns.store:history", *store, std::move(read), {}, push_items);
}

int store_clear_stream(lua_State* state) {
    NamespaceStore* store = begin_store_call(state, "ns.store:clear_stream");
    if (!store) return 2;
    const OptionTable options(state, 3, "ns.store:clear_stream", "durable");
    auto stream = take_key(state, 2);
    if (!stream) return 2;
    return ask_store(state, "ns.store:clear_stream", *store,
                     StoreRemove{.list = *std::move(stream)}, options.boolean("durable"),
                     push_number);
}

int index_store(lua_State* state) {
    find_member(state, "store");
    return 1;
}

int store_to_string(lua_State* state) {
    lua_pushliteral(state, "store");
    return 1;
}

int collect_nothing(lua_State*) { return 0; }

}  // namespace

const luaL_Reg kStoreValueMethods[] = {{"get", store_get},
                                       {"set", store_set},
                                       {"delete", store_delete},
                                       {"scan", store_scan},
                                       {"append", store_append},
                                       {"history", store_history},
                                       {"clear_stream", store_clear_stream},
                                       {nullptr, nullptr}};

void register_store(lua_State* state) {
    make_metatable(state, kStoreMetatableKey, "store", collect_nothing, index_store,
                   kStoreValueMethods, nullptr);
    lua_rawgeti(state, LUA_REGISTRYINDEX, kStoreMetatableKey);
    lua_pushcfunction(state, store_to_string);
    lua_setfield(state, -2, "__tostring");
    lua_getfield(state, -1, "__index");
    lua_getupvalue(state, -1, 1);
    luaL_register(state, nullptr, kStoreQueueMethods);
    push_prelude(state, Prelude::transaction);
    lua_setfield(state, -2, "transaction");
    lua_pop(state, 2);
    // One for all: it is the Runtime that knows whose it is.
    lua_newuserdata(state, 0);
    lua_insert(state, -2);
    lua_setmetatable(state, -2);
    lua_rawseti(state, LUA_REGISTRYINDEX, kStoreKey);
}

}  // namespace moonwire::script
