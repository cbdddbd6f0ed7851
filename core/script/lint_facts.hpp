#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/script/lua_lexer.hpp"

namespace moonwire::script {

/// What a Lua file's text says that bears on Moonwire's API, read without running it.
///
/// Values of the API are followed through locals that are assigned once and through the first
/// parameter of handlers written in place; of all else nothing is claimed.
struct LuaFacts {
    struct GlobalUse {
        std::string name;
        LuaPosition at;
        bool written = false;
        bool in_function = false;
    };
    /// A member of a value whose type is known.
    struct MemberUse {
        enum class How { read, write, dot_call, colon_call };
        std::string type;    // "socket", "chain", …, or the library's name: "log"
        std::string global;  // the global that the value came from, if it did; may be redefined
        std::string name;
        LuaPosition at;
        How how = How::read;
        bool passes_self = false;  // a dot_call whose first argument is of the same type
    };
    /// A name in a literal string.
    struct Named {
        std::string name;
        LuaPosition at;
        std::string nsp = {};  // of which namespace, where the text says so; empty: the file's own
    };

    std::vector<GlobalUse> globals;
    std::vector<MemberUse> members;
    std::vector<Named> modules;        // require "x"
    std::vector<Named> emits;          // ns:to(r):emit("x")
    std::vector<Named> asks;           // ask("/ns", "x")
    std::vector<Named> server_emits;   // namespace_of("/ns"):server_emit("x")
    std::vector<Named> namespaces;     // namespace_of("/ns"), ask("/ns", …)
    bool requires_computed = false;    // there is a `require` whose module can't be told
    std::optional<LuaPosition> broken; // where the syntax is wrong; then the rest is not to be used
};

LuaFacts read_facts(std::string_view source);

/// The types of LuaFacts::MemberUse that are no library's name.
inline constexpr std::string_view kNamespaceType = "namespace", kSocketType = "socket",
                                  kChainType = "chain", kRemoteChainType = "remote chain",
                                  kTimerType = "timer", kGeoIndexType = "geo index",
                                  kRawType = "raw", kStoreType = "store", kCounterType = "counter",
                                  kGaugeType = "gauge", kHistogramType = "histogram";
/// Whether it is one of these.
bool is_object_type(std::string_view type);

}  // namespace moonwire::script
