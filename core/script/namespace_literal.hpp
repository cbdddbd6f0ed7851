#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace moonwire::script {

/// What a file's text says about the namespace it belongs to.
struct NamespaceLiteral {
    std::optional<std::string> name;  // none: the file is a module
    int line = 0;                     // of the call
    std::string error;                // the call is there, but its argument is no literal string
};

/// Finds the first `namespace "/x"` call of a Lua source without running it: `namespace("/x")` and
/// [[long brackets]] too, not in comments or strings, nor as a field (`a.namespace`).
NamespaceLiteral find_namespace(std::string_view source);

}  // namespace moonwire::script
