#pragma once

#include <algorithm>
#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>

#include "core/base/result.hpp"
#include "core/script/watchdog.hpp"

struct lua_State;

namespace moonwire::script {

/// One LuaJIT state behind a limiting allocator, JIT off unless asked for, with only the libraries that a handler
/// may have. One reactor's thread.
///
/// Lua is entered only through protected calls: `Vm::call`, `Vm::protect`, or lua_resume on a
/// coroutine. Memory over the limit is "not enough memory" inside the code that asked for it. The
/// values that JSON needs (values.hpp) are registered; modules are the host's to add.
class Vm {
public:
    /// `memory_limit_bytes` counts from an opened state; 0 means no limit. Throws std::bad_alloc
    /// when the machine itself has no memory. What runs too long is stopped by the watchdog; null:
    /// by nobody, and by nobody with the JIT on.
    explicit Vm(std::size_t memory_limit_bytes, bool jit = false,
                std::shared_ptr<Watchdog> watchdog = nullptr);
    ~Vm();
    Vm(const Vm&) = delete;
    Vm& operator=(const Vm&) = delete;

    /// The Vm that a state or one of its coroutines belongs to.
    static Vm& of(lua_State* state);

    lua_State* state() const noexcept { return state_; }
    RunGuard& guard() noexcept { return *guard_; }
    /// Lua's own memory and what userdata hold outside of it.
    std::size_t memory_bytes() const noexcept { return allocated_ + external_; }

    /// Leaves on the stack a fresh sandbox environment: a table with copies of the library tables
    /// (string, table, math, bit, os with time/date/clock) and the safe base functions; no
    /// coroutine library, for handlers are coroutines already. What the API adds goes into it
    /// afterwards. Globals of one generation never reach another's.
    Result<void> push_environment();

    /// Leaves on the stack the chunk compiled from text (never bytecode) with the environment at
    /// `environment_index`. `path` is how errors and tracebacks name it (an "@" in front is fine, "=" for what is no file).
    /// The error is LuaJIT's "file:line: message".
    Result<void> load(std::string_view source, const std::string& path, int environment_index);
    /// The same for what `compile` made of it, which is some ten times faster. Bytecode of any other
    /// origin could do anything to the process.
    Result<void> load_compiled(std::string_view bytecode, int environment_index);
    /// A chunk as bytecode, for other states. The error is as that of `load`.
    Result<std::string> compile(std::string_view source, const std::string& path);

    /// lua_pcall on the main state with a traceback; the error is
    /// "file:line: message\nstack traceback:…". Stopped when the budget is over (zero: never).
    Result<void> call(int arguments, int results, Duration budget = {});

    /// Runs `body(state)` as a protected C function whose arguments are the topmost `arguments`
    /// values; returns how many results it left in their place. What it raises is the Error, with
    /// nothing left. Allocates nothing in Lua before it is protected. `body` may be left by
    /// longjmp: what it needs destroyed lives outside of it. Needs two free stack slots and a state
    /// that is not suspended.
    template <typename Body>
    static Result<int> protect(lua_State* state, int arguments, Body&& body) {
        return protect_erased(
            state, arguments,
            [](lua_State* inner, void* erased) {
                return (*static_cast<std::remove_reference_t<Body>*>(erased))(inner);
            },
            &body);
    }

    /// Counts `bytes` that a userdata about to be made holds outside of Lua's memory against the
    /// limit, collecting garbage first where that may help. Raises "not enough memory". Protected.
    void charge(lua_State* state, std::size_t bytes);
    /// From the userdata's __gc.
    void release(std::size_t bytes) noexcept { external_ -= bytes; }

    /// A coroutine that failed has let go of what it held. If it failed for want of memory, the
    /// collection that followed found all of that still in use: the next entry collects again.
    void expect_garbage() noexcept {
        if (std::exchange(collected_, false)) refused_ = true;
    }

    /// Held by a C function with much on the C stack while it calls back into Lua. Lua's own stack
    /// would let a callback nest until the thread's stack is gone; this raises "C stack overflow".
    class Nesting {
    public:
        explicit Nesting(lua_State* state);
        ~Nesting() { --vm_.nesting_; }
        Nesting(const Nesting&) = delete;
        Nesting& operator=(const Nesting&) = delete;

    private:
        Vm& vm_;
    };

private:
    Result<void> load_chunk(std::string_view chunk, const char* name, const char* mode,
                            int environment_index);
    using ErasedBody = int (*)(lua_State*, void*);
    static Result<int> protect_erased(lua_State* state, int arguments, ErasedBody body, void* data);
    static int trampoline(lua_State* state);
    /// LuaJIT never collects because an allocation failed, so the garbage of what failed would make
    /// the next one fail, too: the next protected call begins with a full collection.
    Result<void> collect_after_refusal();
    static void* allocate(void* self, void* block, std::size_t old_size, std::size_t new_size);
    /// From a refusal until the collection that follows has ended, a little more is allowed: that
    /// collection calls finalizers, which may need room on the Lua stack.
    bool over_limit(std::size_t extra) const noexcept {
        constexpr std::size_t kReserveBytes = 64u << 10;
        const std::size_t limit = limit_ + (refused_ ? kReserveBytes : 0);
        return limit_ != 0 && extra > limit - std::min(memory_bytes(), limit);
    }

    lua_State* state_ = nullptr;
    std::optional<RunGuard> guard_;
    std::size_t allocated_ = 0;
    std::size_t external_ = 0;
    std::size_t external_debt_ = 0;  // charged since the collector last heard of it
    std::size_t limit_ = 0;
    int nesting_ = 0;
    bool tight_ = false;                 // the collector's pause is short
    bool refused_ = false;               // an allocation, since the last full collection
    bool collected_ = false;             // because of that, and while the culprit still held it all
    ErasedBody pending_body_ = nullptr;  // what the trampoline is to run
    void* pending_data_ = nullptr;
};

}  // namespace moonwire::script
