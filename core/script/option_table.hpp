#pragma once

#include <cstdint>
#include <lua.hpp>
#include <optional>
#include <string_view>

namespace moonwire::script {

// Tables of options, as calls of the API take them. All of these raise for what is wrong, naming
// the call and the option. Protected.

/// Raises if the table at `index` has a field that is none of these (names apart by a blank).
void check_option_names(lua_State* state, int index, const char* call, std::string_view names);

/// Options that are there or not: `index` may hold none or nil.
class OptionTable {
public:
    /// Checks their names.
    OptionTable(lua_State* state, int index, const char* call, std::string_view names);

    std::optional<bool> boolean(const char* name) const;
    /// A whole number in these bounds.
    std::optional<std::int64_t> integer(const char* name, std::int64_t min, std::int64_t max) const;
    /// Seconds, more than zero, as milliseconds.
    std::optional<std::int64_t> milliseconds(const char* name) const;
    /// A string, valid while the table is there.
    std::optional<std::string_view> text(const char* name) const;

private:
    [[noreturn]] void fail(const char* name, const char* expected) const;
    /// Whether there is such an option, which is then on top.
    bool push(const char* name) const;

    lua_State* const state_;
    const int index_;  // 0: none are given
    const char* const call_;
};

}  // namespace moonwire::script
