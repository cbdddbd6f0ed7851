#pragma once

#include <cstddef>
#include <string>
#include <string_view>

#include "core/base/result.hpp"

struct lua_State;

namespace moonwire::script {

/// One LuaJIT state behind a limiting allocator, JIT off, with only the libraries that a handler
/// may have. One reactor's thread.
///
/// Lua is entered only through protected calls: `Vm::call`, or lua_resume on a coroutine. Memory
/// over the limit is "not enough memory" inside the code that asked for it.
class Vm {
public:
    /// `memory_limit_bytes` counts from an opened state; 0 means no limit.
    explicit Vm(std::size_t memory_limit_bytes);
    ~Vm();
    Vm(const Vm&) = delete;
    Vm& operator=(const Vm&) = delete;

    lua_State* state() const noexcept { return state_; }
    std::size_t memory_bytes() const noexcept { return allocated_; }

    /// Leaves on the stack a fresh sandbox environment: a table with copies of the library tables
    /// (string, table, math, bit, os with time/date/clock, coroutine) and the safe base functions.
    /// What the API adds goes into it afterwards. Globals of one generation never reach another's.
    void push_environment();

    /// Leaves on the stack the chunk compiled from text (never bytecode) with the environment at
    /// `environment_index`. The error is LuaJIT's "file:line: message".
    Result<void> load(std::string_view source, const std::string& chunk_name,
                      int environment_index);

    /// lua_pcall with a traceback; the error is "file:line: message\nstack traceback:…".
    Result<void> call(int arguments, int results);

private:
    static void* allocate(void* self, void* block, std::size_t old_size, std::size_t new_size);

    lua_State* state_ = nullptr;
    std::size_t allocated_ = 0;
    std::size_t limit_ = 0;
};

}  // namespace moonwire::script
