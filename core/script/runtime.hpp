#pragma once

#include <lua.hpp>
#include <memory>
#include <optional>

#include "core/script/failure.hpp"
#include "core/script/json_encode.hpp"
#include "core/script/locks.hpp"
#include "core/script/lua_tools.hpp"
#include "core/script/scheduler.hpp"
#include "core/script/vm.hpp"
#include "core/script/vm_limits.hpp"

namespace moonwire::script {

class Deliveries;
class MetricRegistry;
class NamespaceStore;
class NamespaceVm;
class Schedules;

/// A namespace's Lua state with what its generations share: `ns.state`, the API's metatables, the
/// coroutines. A scratch state, in which a candidate is tried, has neither owner nor scheduler, for
/// nothing in it ever runs after it was loaded.
///
/// One thread at a time: its home reactor's once the namespace serves.
class Runtime final : public Vm {
public:
    Runtime(const VmLimits& limits, NamespaceVm* owner)
        : Vm(limits.memory_bytes, limits.jit, limits.watchdog), limits(limits), owner(owner) {}

    static Runtime& of(lua_State* state) { return static_cast<Runtime&>(Vm::of(state)); }

    bool loading() const noexcept { return loading_ > 0; }
    /// Raises: what sends, waits or reads state must not be done by a file's top level. The error
    /// is put down to the function `level` calls up.
    void refuse_while_loading(lua_State* state, const char* call, int level = 1) const {
        if (loading()) raise_at(state, level, "%s can't be used while a file loads", call);
    }
    /// For the time that a file's top level runs.
    void begin_loading() noexcept { ++loading_; }
    void end_loading() noexcept { --loading_; }

    const VmLimits limits;
    NamespaceVm* const owner;
    MetricRegistry* metrics = nullptr;  // null: a candidate that is tried has its own to itself
    Locks locks;  // outlives the tasks of the scheduler
    std::shared_ptr<Scheduler> scheduler;
    // `ns.store` and what works on it; null where there is no store.
    std::shared_ptr<NamespaceStore> store;
    std::shared_ptr<Deliveries> deliveries;
    std::shared_ptr<Schedules> schedules;
    std::optional<CaughtError> caught;  // what is being raised again
    Encoded encoded;     // what is being sent; reused, so that sending does not allocate
    LuaRef state_table;  // ns.state

private:
    int loading_ = 0;
};

}  // namespace moonwire::script
