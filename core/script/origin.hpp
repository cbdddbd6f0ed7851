#pragma once

#include <cstdint>
#include <memory>
#include <string>

struct lua_State;

namespace moonwire::script {

struct Origin;
using OriginPtr = std::shared_ptr<const Origin>;

/// Where a task was started from, for those that no event starts. Immutable: any thread.
struct Origin {
    std::string text;        // "spawn at app/main.lua:7"
    std::uint64_t task = 0;  // TaskInfo::id of who started it; 0: a file that loaded
    bool awaited = false;    // that one waits until this one has ended (gather)
    OriginPtr parent;        // of that one; the chain is cut at kMaxOrigins
    int depth = 1;
};

inline constexpr int kMaxOrigins = 16;

/// Of what the code `level` calls up starts by `call`, in the task that runs. Protected.
OriginPtr make_origin(lua_State* state, const char* call, int level = 1, bool awaited = false);

/// The chain as lines behind a traceback; empty without an origin.
std::string origin_trail(const Origin* origin);

}  // namespace moonwire::script
