// The C halves of the prelude's transaction().
#include "core/script/api.hpp"
#include "core/script/api_store.hpp"
#include "core/script/namespace_vm.hpp"
#include "core/script/option_table.hpp"

namespace moonwire::script {

int lua_begin_transaction(lua_State* state) {
    constexpr const char* kCall = "ns.store:transaction";
    NamespaceStore* store = begin_store_call(state, kCall);
    if (!store) return 1;  // why, on top
    luaL_checktype(state, 2, LUA_TFUNCTION);
    const OptionTable options(state, 3, kCall, "durable");
    const bool durable = options.boolean("durable").value_or(store->options().durable);
    const auto& scheduler = Runtime::of(state).scheduler;
    const TaskInfo& task = *scheduler->running();
    if (StoreTransaction* outer = store->transaction_of(task.id)) {
        if (outer->overdue())
            return luaL_error(state, "the transaction took too long and was rolled back");
        outer->begin_inner();
        return 0;
    }
    if (store->transaction_task() != 0 && waits_for(task, store->transaction_task()))
        return luaL_error(state, "%s: a transaction waits for this, which waits for its end",
                          kCall);
    // Level 2 is whoever called the prelude's transaction().
    const WaitId wait = scheduler->begin_wait(state, kCall, 2);
    const auto transaction =
        std::make_shared<StoreTransaction>(store->shared_from_this(), task.id, durable);
    scheduler->hold(transaction);
    const bool waiting = store->begin(*transaction, [weak = std::weak_ptr(scheduler), wait] {
        if (const auto alive = weak.lock()) alive->end(wait, [](lua_State*) { return 0; });
    });
    if (!waiting) {
        scheduler->let_go(transaction.get());
        scheduler->end_after(wait, Duration::zero(), [](lua_State* L) {
            lua_pushstring(L, plugin::kStoreBusy);
            return 1;
        });
    }
    return lua_yield(state, 0);
}

int lua_commit_transaction(lua_State* state) {
    Runtime& runtime = Runtime::of(state);
    const auto& scheduler = runtime.scheduler;
    const bool ok = lua_toboolean(state, 1);
    const auto raise_again = [&] {
        lua_settop(state, 2);
        return lua_error(state);
    };
    StoreTransaction* transaction = runtime.store->transaction_of(scheduler->running()->id);
    if (!transaction) {  // one within another, which took too long
        if (!ok) return raise_again();
        lua_pushliteral(state, "timeout");
        return 1;
    }
    if (transaction->is_inner()) {
        transaction->end_inner(ok);
        return ok ? 0 : raise_again();
    }
    const bool overdue = transaction->overdue();
    const bool empty = transaction->size() == 0;
    if (!ok || overdue || empty) {
        runtime.store->end(*transaction);
        scheduler->let_go(transaction);
        if (!ok) return raise_again();
        if (!overdue) return 0;
        lua_pushliteral(state, "timeout");
        return 1;
    }
    const WaitId wait = scheduler->begin_wait(state, "ns.store:transaction", 2);
    runtime.store->commit(*transaction,
                          [weak = std::weak_ptr(scheduler), wait](plugin::StoreReply reply) {
                              const auto alive = weak.lock();
                              if (!alive) return;
                              alive->end(wait, [why = std::move(reply.error)](lua_State* L) {
                                  if (why.empty()) return 0;
                                  push_string(L, why);
                                  return 1;
                              });
                          });
    scheduler->let_go(transaction);  // the commit keeps it
    return lua_yield(state, 0);
}

}  // namespace moonwire::script
