// `ns.store`: offline queues and schedules.
#include <cmath>
#include <utility>

#include "core/script/api.hpp"
#include "core/script/api_store.hpp"
#include "core/script/deliveries.hpp"
#include "core/script/emit_checks.hpp"
#include "core/script/namespace_vm.hpp"
#include "core/script/option_table.hpp"
#include "core/script/schedules.hpp"
#include "core/script/script_socket.hpp"

namespace moonwire::script {

using namespace plugin;

namespace {

constexpr std::chrono::seconds kDeliveryTimeout{10};

int push_number(lua_State* state, StoreResult& result) {
    lua_pushnumber(state, static_cast<double>(result.number));
    return 1;
}

/// The event at 3, with the values after it, as it will be sent.
void encode_queued(lua_State* state) {
    Runtime& runtime = Runtime::of(state);
    const std::string_view event = check_text(state, 3);
    if (event.empty() || socketio::is_reserved_event(event))
        luaL_error(state, "'%s' is no name for an event", lua_tostring(state, 3));
    runtime.encoded.clear();
    if (auto done = encode_json_array(state, event, 4, lua_gettop(state), runtime.encoded); !done)
        luaL_error(state, "%s", done.error().message.c_str());
    if (runtime.limits.check_emits) check_emitted(state, runtime.owner->generation(), 3);
}

/// The numbered options of the event at 3 that is a table: it becomes the event's name.
struct QueueOptions {
    std::optional<std::int64_t> ttl, max;
    bool drop_oldest = false;
    std::optional<bool> durable;
};
QueueOptions take_queue_options(lua_State* state) {
    QueueOptions taken;
    if (!lua_istable(state, 3)) return taken;
    lua_rawgeti(state, 3, 1);
    luaL_argcheck(state, lua_type(state, -1) == LUA_TSTRING, 3,
                  "an event expected, or {event, ttl = …}");
    // What is left are the options.
    lua_createtable(state, 0, 4);
    lua_pushnil(state);
    while (lua_next(state, 3)) {
        const bool is_event = lua_type(state, -2) == LUA_TNUMBER && lua_tonumber(state, -2) == 1;
        if (is_event) {
            lua_pop(state, 1);
            continue;
        }
        lua_pushvalue(state, -2);
        lua_insert(state, -2);
        lua_rawset(state, -4);
    }
    const OptionTable options(state, lua_gettop(state), "ns.store:enqueue",
                              "ttl max drop_oldest durable");
    const auto most = static_cast<std::int64_t>(Runtime::of(state).store->options().queue_items);
    taken.ttl = options.milliseconds("ttl");
    taken.max = options.integer("max", 1, most);
    taken.drop_oldest = options.boolean("drop_oldest").value_or(false);
    taken.durable = options.boolean("durable");
    lua_pop(state, 1);
    lua_replace(state, 3);
    return taken;
}

int store_enqueue(lua_State* state) {
    NamespaceStore* store = begin_store_call(state, "ns.store:enqueue");
    if (!store) return 2;
    const QueueOptions options = take_queue_options(state);
    encode_queued(state);
    auto recipient = take_key(state, 2);
    if (!recipient) return 2;
    auto event = take_encoded(state, *store);
    if (!event) return 2;
    StoreAppend append{.list = *std::move(recipient),
                       .value = *std::move(event),
                       .at = store->now(),
                       .kind = StoreList::queues};
    const std::chrono::milliseconds usual = store->options().queue_time;
    append.expires = store->now() + options.ttl.value_or(usual.count());
    append.max_items =
        options.max ? static_cast<std::size_t>(*options.max) : store->options().queue_items;
    append.refuse = !options.drop_oldest;
    return ask_store(state, "ns.store:enqueue", *store, std::move(append), options.durable,
                     push_number);
}

int store_queued(lua_State* state) {
    NamespaceStore* store = begin_store_call(state, "ns.store:queued");
    if (!store) return 2;
    auto recipient = take_key(state, 2);
    if (!recipient) return 2;
    return ask_store(state, "ns.store:queued", *store,
                     StoreCount{*std::move(recipient), StoreList::queues}, {}, push_number);
}

int store_clear_queue(lua_State* state) {
    NamespaceStore* store = begin_store_call(state, "ns.store:clear_queue");
    if (!store) return 2;
    const OptionTable options(state, 3, "ns.store:clear_queue", "durable");
    auto recipient = take_key(state, 2);
    if (!recipient) return 2;
    return ask_store(state, "ns.store:clear_queue", *store,
                     StoreRemove{.list = *std::move(recipient), .kind = StoreList::queues},
                     options.boolean("durable"), push_number);
}

int push_delivered(lua_State* state, std::int64_t count, const std::string& why) {
    lua_pushnumber(state, static_cast<double>(count));
    if (why.empty()) return 1;
    push_string(state, why);
    return 2;
}

int store_deliver(lua_State* state) {
    constexpr const char* kCall = "ns.store:deliver";
    NamespaceStore* store = begin_store_call(state, kCall);
    if (!store) return 2;
    const OptionTable options(state, 4, kCall, "timeout");
    const SocketObject* socket = to_socket(state, 3);
    if (!socket) luaL_typerror(state, 3, "socket");
    auto recipient = take_key(state, 2);
    if (!recipient) return 2;
    Runtime& runtime = Runtime::of(state);
    const auto& scheduler = runtime.scheduler;
    if (store->transaction_of(scheduler->running()->id))
        return luaL_error(
            state, "%s can't be used in a transaction, which must not wait for clients", kCall);
    if (!socket->is_connected()) return push_delivered(state, 0, "disconnected");
    const Duration timeout = options.milliseconds("timeout")
                                 ? std::chrono::milliseconds(*options.milliseconds("timeout"))
                                 : Duration(kDeliveryTimeout);
    const WaitId wait = scheduler->begin_wait(state, kCall);
    runtime.deliveries->start(
        *std::move(recipient), socket->socket, timeout,
        [weak = std::weak_ptr(scheduler), wait](std::int64_t count, std::string why) {
            const auto alive = weak.lock();
            if (!alive) return;
            alive->end(wait, [count, why = std::move(why)](lua_State* L) {
                return push_delivered(L, count, why);
            });
        });
    return lua_yield(state, 0);
}

int store_schedule(lua_State* state) {
    constexpr const char* kCall = "ns.store:schedule";
    NamespaceStore* store = begin_store_call(state, kCall);
    if (!store) return 2;
    lua_settop(state, 5);
    const OptionTable options(state, 5, kCall, "durable");
    const double at = luaL_checknumber(state, 2);
    luaL_argcheck(state, std::isfinite(at) && at >= 0 && at < 1e12, 2,
                  "a time expected, as now() gives it");
    const std::string_view name = check_text(state, 3);
    const Generation& generation = *Runtime::of(state).scheduler->running()->generation;
    if (!generation.schedules.contains(name))
        luaL_error(state, "%s: no ns:on_schedule(\"%s\", …) here", kCall, lua_tostring(state, 3));
    if (lua_isnil(state, 4)) {
        push_null(state);
        lua_replace(state, 4);
    }
    auto data = take_value(state, 4, *store);
    if (!data) return 2;
    std::string key = Schedules::make_key(static_cast<StoreTime>(std::ceil(at * 1000)));
    StoreSet set{
        .key = key, .value = Schedules::make_value(name, *data), .table = StoreTable::schedules};
    return ask_store(state, kCall, *store, std::move(set), options.boolean("durable"),
                     [key = std::move(key)](lua_State* L, StoreResult&) {
                         push_string(L, key);
                         return 1;
                     });
}

int store_cancel(lua_State* state) {
    NamespaceStore* store = begin_store_call(state, "ns.store:cancel");
    if (!store) return 2;
    const OptionTable options(state, 3, "ns.store:cancel", "durable");
    auto id = take_key(state, 2);
    if (!id) return 2;
    return ask_store(state, "ns.store:cancel", *store,
                     StoreDelete{*std::move(id), StoreTable::schedules}, options.boolean("durable"),
                     [](lua_State* L, StoreResult& result) {
                         lua_pushboolean(L, result.found);
                         return 1;
                     });
}

}  // namespace

const luaL_Reg kStoreQueueMethods[] = {
    {"enqueue", store_enqueue}, {"queued", store_queued},     {"clear_queue", store_clear_queue},
    {"deliver", store_deliver}, {"schedule", store_schedule}, {"cancel", store_cancel},
    {nullptr, nullptr}};

}  // namespace moonwire::script
