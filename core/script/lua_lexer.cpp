#include "core/script/lua_lexer.hpp"

#include <algorithm>
#include <cctype>
#include <iterator>

namespace moonwire::script {
namespace {

constexpr std::string_view kKeywords[] = {
    "and", "break",  "do", "else", "elseif", "end",  "false", "for",  "function", "if",   "in",
    "local", "nil", "not", "or",   "repeat", "return", "then", "true", "until",    "while"};
constexpr std::string_view kLongSymbols[] = {"...", "..", "==", "~=", "<=", ">=", "::"};

bool is_digit(char c) { return std::isdigit(static_cast<unsigned char>(c)); }
bool is_word(char c) { return std::isalnum(static_cast<unsigned char>(c)) || c == '_'; }

}  // namespace

LuaLexer::LuaLexer(std::string_view source) : rest_(source) {
    if (rest_.starts_with('#')) skip_line();
}

LuaToken LuaLexer::next() {
    using Kind = LuaToken::Kind;
    skip_blank();
    LuaToken token;
    token.at = at_;
    if (rest_.empty()) return token;
    const char c = rest_.front();
    if (is_digit(c) || (c == '.' && rest_.size() > 1 && is_digit(rest_[1]))) {
        token.kind = Kind::number;
        token.text = take(number_length());
    } else if (is_word(c)) {
        std::size_t length = 1;
        while (length < rest_.size() && is_word(rest_[length])) ++length;
        token.text = take(length);
        const bool keyword = std::find(std::begin(kKeywords), std::end(kKeywords), token.text) !=
                             std::end(kKeywords);
        token.kind = keyword ? Kind::keyword : Kind::name;
    } else if (c == '"' || c == '\'') {
        token.kind = Kind::string;
        token.text = quoted(c);
    } else if (const auto level = long_bracket()) {
        token.kind = Kind::string;
        token.text = bracketed(*level);
    } else {
        token.kind = Kind::symbol;
        std::size_t length = 1;
        for (const std::string_view symbol : kLongSymbols)
            if (rest_.starts_with(symbol)) length = std::max(length, symbol.size());
        token.text = take(length);
    }
    return token;
}

std::string LuaLexer::take(std::size_t count) {
    std::string taken(rest_.substr(0, count));
    for (const char c : taken) {
        if (c == '\n') at_ = {at_.line + 1, 1};
        else ++at_.column;
    }
    rest_.remove_prefix(taken.size());
    return taken;
}

void LuaLexer::skip_line() { take(std::min(rest_.find('\n'), rest_.size())); }

void LuaLexer::skip_blank() {
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

/// `1..2` is one malformed number, as Lua has it; an exponent may have a sign.
std::size_t LuaLexer::number_length() const {
    const bool hexadecimal = rest_.starts_with("0x") || rest_.starts_with("0X");
    std::size_t length = 1;
    while (length < rest_.size()) {
        const char c = rest_[length];
        const char before = static_cast<char>(std::tolower(rest_[length - 1]));
        const bool sign = (c == '+' || c == '-') && before == (hexadecimal ? 'p' : 'e');
        if (!is_word(c) && c != '.' && !sign) break;
        ++length;
    }
    return length;
}

/// The level of a long bracket that opens here.
std::optional<std::size_t> LuaLexer::long_bracket() const {
    if (!rest_.starts_with('[')) return std::nullopt;
    std::size_t level = 0;
    while (1 + level < rest_.size() && rest_[1 + level] == '=') ++level;
    if (1 + level < rest_.size() && rest_[1 + level] == '[') return level;
    return std::nullopt;
}

std::string LuaLexer::bracketed(std::size_t level) {
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

std::string LuaLexer::quoted(char quote) {
    take(1);
    std::string text;
    while (!rest_.empty() && rest_.front() != quote && rest_.front() != '\n') {
        if (rest_.front() == '\\') take(1);
        text += take(1);
    }
    take(1);
    return text;
}

}  // namespace moonwire::script
