#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

namespace moonwire::script {

/// Where a token begins: both count from 1, columns in bytes. 0: not known.
struct LuaPosition {
    int line = 0;
    int column = 0;
};

struct LuaToken {
    enum class Kind { end, name, keyword, string, number, symbol };
    Kind kind = Kind::end;
    std::string text;  // of a string: its value (but for numeric escapes, which stay as written)
    LuaPosition at;

    bool is(std::string_view symbol_or_keyword) const {
        return (kind == Kind::symbol || kind == Kind::keyword) && text == symbol_or_keyword;
    }
};

/// Takes a Lua source apart without running it. Malformed input ends in an early end token: the
/// compiler reports it better. `goto` is a name, as LuaJIT has it. The source must outlive this.
class LuaLexer {
public:
    explicit LuaLexer(std::string_view source);

    LuaToken next();

private:
    std::string take(std::size_t count);
    void skip_line();
    void skip_blank();
    std::size_t number_length() const;
    std::optional<std::size_t> long_bracket() const;
    std::string bracketed(std::size_t level);
    std::string quoted(char quote);

    std::string_view rest_;
    LuaPosition at_{1, 1};
};

}  // namespace moonwire::script
