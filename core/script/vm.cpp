#include "core/script/vm.hpp"

#include <cstdlib>
#include <lua.hpp>
#include <new>

#include "core/base/log.hpp"
#include "core/script/registry.hpp"
#include "core/script/sandbox.hpp"
#include "core/script/values.hpp"

namespace moonwire::script {
namespace {

// LuaJIT has no emergency collection: an allocation over the limit fails even while most of the
// heap is garbage. A short pause keeps the garbage a small part of it, and is needless work as long
// as the heap is small: so it is short only above this part of the limit, and twice that is still
// below it.
constexpr std::size_t kShortPauseFrom = 3;  // one in
constexpr int kShortGcPause = 115, kLongGcPause = 200, kGcStepMultiplier = 400;
// How much memory outside of Lua's heap goes by before the collector is made to work for it.
constexpr std::size_t kExternalDebtBytes = 256u << 10;
constexpr std::size_t kGcStepBytes = 1024;  // what LuaJIT takes one step of its collector for

constexpr int kMaxNesting = 100;

/// The error value as text; tables speak through __tostring.
int traceback(lua_State* state) {
    if (!lua_isstring(state, 1)) {
        if (luaL_callmeta(state, 1, "__tostring") && lua_isstring(state, -1)) {
            lua_replace(state, 1);
        } else {
            lua_pushfstring(state, "(the error is a %s)", luaL_typename(state, 1));
            lua_replace(state, 1);
        }
        lua_settop(state, 1);
    }
    luaL_traceback(state, state, lua_tostring(state, 1), 1);
    return 1;
}

/// Pops the error that lua_pcall or lua_load left.
Error take_error(lua_State* state) {
    std::size_t length = 0;
    const char* text =
        lua_type(state, -1) == LUA_TSTRING ? lua_tolstring(state, -1, &length) : nullptr;
    Error error{text ? std::string(text, length)
                     : std::string("the error is a ") + luaL_typename(state, -1)};
    lua_pop(state, 1);
    return error;
}

std::string chunk_name(const std::string& path) {
    return path.starts_with('@') || path.starts_with('=') ? path : "@" + path;
}

int on_panic(lua_State* state) {
    const char* text = lua_tostring(state, -1);
    log::error("Lua raised an error outside of a protected call", {{"error", text ? text : "?"}});
    std::abort();
}

int open_state(lua_State* state) {
    lua_pushcfunction(state, traceback);
    lua_rawseti(state, LUA_REGISTRYINDEX, kTracebackKey);
    register_values(state);
    open_sandbox(state);
    return 0;
}

}  // namespace

Vm::Vm(std::size_t memory_limit_bytes, bool jit, std::shared_ptr<Watchdog> watchdog) {
    state_ = lua_newstate(&Vm::allocate, this);
    if (!state_) throw std::bad_alloc();
    lua_atpanic(state_, on_panic);
    const int status = lua_cpcall(
        state_,
        [](lua_State* state) {
            lua_pushcfunction(state, &Vm::trampoline);
            lua_rawseti(state, LUA_REGISTRYINDEX, kTrampolineKey);
            // The compiler is set up by its library, which scripts don't get to see.
            if (*static_cast<const bool*>(lua_touserdata(state, 1))) {
                lua_pushcfunction(state, luaopen_jit);
                lua_call(state, 0, 0);
            }
            return open_state(state);
        },
        &jit);
    if (status != 0) {
        const Error error = take_error(state_);
        log::error("a Lua state did not open", {{"error", error.message}});
        lua_close(state_);
        throw std::bad_alloc();
    }
    luaJIT_setmode(state_, 0, LUAJIT_MODE_ENGINE | (jit ? LUAJIT_MODE_ON : LUAJIT_MODE_OFF));
    guard_.emplace(state_, jit ? nullptr : std::move(watchdog));
    lua_gc(state_, LUA_GCCOLLECT, 0);
    if (memory_limit_bytes != 0) {
        lua_gc(state_, LUA_GCSETSTEPMUL, kGcStepMultiplier);
        limit_ = memory_bytes() + memory_limit_bytes;
    }
}

Vm::~Vm() {
    guard_.reset();
    lua_close(state_);
}

Vm& Vm::of(lua_State* state) {
    void* self = nullptr;
    lua_getallocf(state, &self);
    return *static_cast<Vm*>(self);
}

void* Vm::allocate(void* self, void* block, std::size_t old_size, std::size_t new_size) {
    Vm& vm = *static_cast<Vm*>(self);
    if (!block) old_size = 0;
    if (new_size == 0) {
        std::free(block);
        vm.allocated_ -= old_size;
        return nullptr;
    }
    if (new_size > old_size && vm.over_limit(new_size - old_size)) {
        vm.refused_ = true;
        return nullptr;
    }
    void* moved = block ? std::realloc(block, new_size) : std::malloc(new_size);
    // Lua counts on shrinking never to fail.
    if (!moved) return new_size <= old_size ? block : nullptr;
    vm.allocated_ = vm.allocated_ - old_size + new_size;
    if (const bool tight = vm.limit_ != 0 && vm.memory_bytes() > vm.limit_ / kShortPauseFrom;
        tight != vm.tight_) {
        vm.tight_ = tight;
        lua_gc(vm.state_, LUA_GCSETPAUSE, tight ? kShortGcPause : kLongGcPause);  // a mere store
    }
    return moved;
}

void Vm::charge(lua_State* state, std::size_t bytes) {
    if (over_limit(bytes)) lua_gc(state, LUA_GCCOLLECT, 0);
    if (over_limit(bytes)) {
        refused_ = true;
        luaL_error(state, "not enough memory");
    }
    external_ += bytes;
    external_debt_ += bytes;
    if (external_debt_ < kExternalDebtBytes) return;
    // The collector's pace knows Lua's own memory only: it is made to walk as if this were its.
    for (std::size_t step = external_debt_ / kGcStepBytes; step > 0; --step)
        if (lua_gc(state, LUA_GCSTEP, 0) != 0) break;
    external_debt_ = 0;
}

Result<void> Vm::collect_after_refusal() {
    if (!refused_) return {};
    const auto collected = protect(state_, 0, [](lua_State*) { return 0; });
    if (!collected) return collected.error();
    return {};
}

Vm::Nesting::Nesting(lua_State* state) : vm_(of(state)) {
    // Before the count: what raises here is not undone by the destructor.
    if (vm_.nesting_ == kMaxNesting) luaL_error(state, "C stack overflow");
    ++vm_.nesting_;
}

Result<void> Vm::push_environment() {
    auto pushed = protect(state_, 0, [](lua_State* state) {
        push_sandbox(state);
        return 1;
    });
    if (!pushed) return pushed.error();
    return {};
}

Result<void> Vm::load(std::string_view source, const std::string& path, int environment_index) {
    return load_chunk(source, chunk_name(path).c_str(), "t", environment_index);
}

Result<void> Vm::load_compiled(std::string_view bytecode, int environment_index) {
    return load_chunk(bytecode, "", "b", environment_index);  // it knows its name
}

Result<void> Vm::load_chunk(std::string_view chunk, const char* name, const char* mode,
                            int environment_index) {
    if (environment_index < 0) environment_index += lua_gettop(state_) + 1;
    if (auto ready = collect_after_refusal(); !ready) return ready;
    if (luaL_loadbufferx(state_, chunk.data(), chunk.size(), name, mode) != 0)
        return take_error(state_);
    lua_pushvalue(state_, environment_index);
    lua_setfenv(state_, -2);
    return {};
}

Result<std::string> Vm::compile(std::string_view source, const std::string& path) {
    if (luaL_loadbufferx(state_, source.data(), source.size(), chunk_name(path).c_str(), "t") != 0)
        return take_error(state_);
    std::string bytecode;
    const auto append = [](lua_State*, const void* part, std::size_t size, void* out) {
        static_cast<std::string*>(out)->append(static_cast<const char*>(part), size);
        return 0;
    };
    auto dumped = protect(state_, 1, [&](lua_State* state) {
        lua_dump(state, append, &bytecode);
        return 0;
    });
    if (!dumped) return dumped.error();
    return bytecode;
}

Result<void> Vm::call(int arguments, int results, Duration budget) {
    const int function = lua_gettop(state_) - arguments;
    if (auto ready = collect_after_refusal(); !ready) {
        lua_settop(state_, function - 1);
        return ready;
    }
    lua_rawgeti(state_, LUA_REGISTRYINDEX, kTracebackKey);
    lua_insert(state_, function);
    guard_->begin(Clock::now(), budget);
    const int status = lua_pcall(state_, arguments, results, function);
    guard_->end(status != 0);
    lua_remove(state_, function);
    if (status != 0) return take_error(state_);
    return {};
}

Result<int> Vm::protect_erased(lua_State* state, int arguments, ErasedBody body, void* data) {
    Vm& vm = of(state);
    const int base = lua_gettop(state) - arguments;
    lua_rawgeti(state, LUA_REGISTRYINDEX, kTrampolineKey);
    lua_insert(state, base + 1);
    vm.pending_body_ = body;
    vm.pending_data_ = data;
    if (lua_pcall(state, arguments, LUA_MULTRET, 0) != 0) return take_error(state);
    return lua_gettop(state) - base;
}

int Vm::trampoline(lua_State* state) {
    Vm& vm = of(state);
    const ErasedBody body = vm.pending_body_;
    void* const data = vm.pending_data_;
    if (vm.refused_) {
        lua_gc(state, LUA_GCCOLLECT, 0);
        vm.refused_ = false;
        vm.collected_ = true;
    }
    return body(state, data);
}

}  // namespace moonwire::script
