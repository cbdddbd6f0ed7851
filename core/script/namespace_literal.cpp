#include "core/script/namespace_literal.hpp"

#include <cctype>
#include <cstddef>

namespace moonwire::script {
namespace {

enum class Kind { end, name, string, symbol };

struct Token {
    Kind kind = Kind::end;
    std::string text;  // of a string: its value
    int line = 0;
};

/// As much of Lua's lexer as telling names from comments and strings takes. Malformed input ends
/// in an early end token: the compiler reports it better.
class Lexer {
public:
    explicit Lexer(std::string_view source) : rest_(source) {
        if (rest_.starts_with('#')) skip_line();
    }

    Token next() {
        skip_blank();
        Token token;
        token.line = line_;
        if (rest_.empty()) return token;
        const char c = rest_.front();
        if (std::isalpha(static_cast<unsigned char>(c)) || c == '_') {
            token.kind = Kind::name;
            std::size_t length = 1;
            while (length < rest_.size() && is_word(rest_[length])) ++length;
            token.text = take(length);
        } else if (std::isdigit(static_cast<unsigned char>(c))) {
            token.kind = Kind::symbol;
            std::size_t length = 1;
            while (length < rest_.size() && (is_word(rest_[length]) || rest_[length] == '.'))
                ++length;
            token.text = take(length);
        } else if (c == '"' || c == '\'') {
            token.kind = Kind::string;
            token.text = quoted(c);
        } else if (const auto level = long_bracket()) {
            token.kind = Kind::string;
            token.text = bracketed(*level);
        } else {
            token.kind = Kind::symbol;
            const bool dots = rest_.starts_with("..");
            token.text = take(dots ? (rest_.starts_with("...") ? 3 : 2) : 1);
        }
        return token;
    }

private:
    static bool is_word(char c) { return std::isalnum(static_cast<unsigned char>(c)) || c == '_'; }

    std::string take(std::size_t count) {
        std::string taken(rest_.substr(0, count));
        for (char c : taken) line_ += c == '\n';
        rest_.remove_prefix(taken.size());
        return taken;
    }
    void skip_line() { take(std::min(rest_.find('\n'), rest_.size())); }
    void skip_blank() {
        for (;;) {
            if (!rest_.empty() && std::isspace(static_cast<unsigned char>(rest_.front()))) {
                take(1);
            } else if (rest_.starts_with("--")) {
                take(2);
                if (const auto level = long_bracket()) bracketed(*level);
                else skip_line();
            } else {
                return;
            }
        }
    }
    /// The level of a long bracket that opens here.
    std::optional<std::size_t> long_bracket() const {
        if (!rest_.starts_with('[')) return std::nullopt;
        std::size_t level = 0;
        while (1 + level < rest_.size() && rest_[1 + level] == '=') ++level;
        if (1 + level < rest_.size() && rest_[1 + level] == '[') return level;
        return std::nullopt;
    }
    std::string bracketed(std::size_t level) {
        take(level + 2);
        const std::string close = "]" + std::string(level, '=') + "]";
        const std::size_t end = rest_.find(close);
        if (end == std::string_view::npos) {
            take(rest_.size());
            return {};
        }
        std::string text = take(end);
        take(close.size());
        if (text.starts_with('\n')) text.erase(0, 1);
        return text;
    }
    std::string quoted(char quote) {
        take(1);
        std::string text;
        while (!rest_.empty() && rest_.front() != quote && rest_.front() != '\n') {
            if (rest_.front() == '\\') take(1);
            text += take(1);
        }
        take(1);
        return text;
    }

    std::string_view rest_;
    int line_ = 1;
};

}  // namespace

NamespaceLiteral find_namespace(std::string_view source) {
    Lexer lexer(source);
    Token before;
    for (Token token = lexer.next(); token.kind != Kind::end;) {
        const bool free_name = token.kind == Kind::name && token.text == "namespace" &&
                               before.text != "." && before.text != ":" &&
                               before.text != "function" && before.text != "local" &&
                               before.text != "goto";
        Token after = lexer.next();
        if (free_name) {
            NamespaceLiteral found;
            found.line = token.line;
            if (after.kind == Kind::string) {
                found.name = after.text;
                return found;
            }
            if (after.text == "(" || after.text == "{") {
                const Token argument = lexer.next();
                if (after.text == "(" && argument.kind == Kind::string &&
                    lexer.next().text == ")") {
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
