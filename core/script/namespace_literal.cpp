#include "core/script/namespace_literal.hpp"

#include <utility>

#include "core/script/lua_lexer.hpp"

namespace moonwire::script {

NamespaceLiteral find_namespace(std::string_view source) {
    using Kind = LuaToken::Kind;
    LuaLexer lexer(source);
    LuaToken before;
    for (LuaToken token = lexer.next(); token.kind != Kind::end;) {
        const bool free_name = token.kind == Kind::name && token.text == "namespace" &&
                               !before.is(".") && !before.is(":") && !before.is("function") &&
                               !before.is("local") && before.text != "goto";
        LuaToken after = lexer.next();
        if (free_name) {
            NamespaceLiteral found;
            found.line = token.at.line;
            if (after.kind == Kind::string) {
                found.name = after.text;
                return found;
            }
            if (after.is("(") || after.is("{")) {
                const LuaToken argument = lexer.next();
                if (after.is("(") && argument.kind == Kind::string && lexer.next().is(")")) {
                    found.name = argument.text;
                } else {
                    found.error =
                        "namespace takes a literal string, known without running the file";
                }
                return found;
            }
        }
        before = std::move(token);
        token = std::move(after);
    }
    return {};
}

}  // namespace moonwire::script
