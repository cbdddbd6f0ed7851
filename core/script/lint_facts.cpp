#include "core/script/lint_facts.hpp"

#include <algorithm>
#include <deque>
#include <functional>
#include <iterator>
#include <utility>

namespace moonwire::script {
namespace {

using Kind = LuaToken::Kind;
using MemberUse = LuaFacts::MemberUse;

/// Deeper is refused by the compiler, too.
constexpr int kMaxDepth = 220;

struct Variable;

/// What is known of an expression's value.
struct Value {
    std::string type;                     // empty: nothing
    std::string global;                   // the global it came from
    std::string nsp;                      // of a remote chain: the namespace's literal name
    const Variable* through = nullptr;    // the local that it was read from
    std::optional<std::string> literal;   // a constant string
};

struct Variable {
    std::string name;
    Value value;
    bool reassigned = false;

    bool holds() const {
        return !reassigned && (!value.through || value.through->holds());
    }
};

/// An expression that may yet turn out to be assigned to.
struct Place {
    enum class Sort { value, local, global, member };
    Sort sort = Sort::value;
    Value value;         // a member's: of the value that has it
    Variable* local = nullptr;
    std::string name;    // a global's or a member's
    LuaPosition at;
};

constexpr std::string_view kSocketHandlers[] = {
    "on",         "use",        "on_any",           "use_event",
    "on_connect", "on_disconnect", "on_disconnecting", "on_expired"};
/// Named as what `metrics` has to make them.
constexpr std::string_view kMetricTypes[] = {kCounterType, kGaugeType, kHistogramType};
constexpr std::string_view kChainSteps[] = {"to",       "except",  "broadcast", "volatile",
                                            "compress", "timeout", "here"};

template <std::size_t N>
bool is_one_of(std::string_view name, const std::string_view (&names)[N]) {
    return std::find(std::begin(names), std::end(names), name) != std::end(names);
}

bool sends(std::string_view type) {
    return type == kNamespaceType || type == kSocketType || type == kChainType ||
           type == kRemoteChainType;
}

struct SyntaxError {
    LuaPosition at;
};

/// A recursive descent over Lua 5.1's grammar with LuaJIT's `goto`, keeping scopes but no tree.
class Reader {
public:
    explicit Reader(std::string_view source) : lexer_(source) {
        token_ = lexer_.next();
        ahead_ = lexer_.next();
    }

    LuaFacts read() {
        try {
            block();
            if (token_.kind != Kind::end) fail();
        } catch (const SyntaxError& error) {
            facts_.broken = error.at;
            return std::move(facts_);
        }
        for (auto& [variable, note] : claims_)
            if (!variable || variable->holds()) note();
        return std::move(facts_);
    }

private:
    struct Depth {
        explicit Depth(Reader& reader) : reader(reader) {
            if (++reader.depth_ > kMaxDepth) reader.fail();
        }
        ~Depth() { --reader.depth_; }
        Reader& reader;
    };

    // Tokens.
    [[noreturn]] void fail() const { throw SyntaxError{token_.at}; }
    LuaToken advance() {
        LuaToken passed = std::exchange(token_, std::move(ahead_));
        ahead_ = lexer_.next();
        return passed;
    }
    bool accept(std::string_view text) {
        if (!token_.is(text)) return false;
        advance();
        return true;
    }
    void expect(std::string_view text) {
        if (!accept(text)) fail();
    }
    LuaToken expect_name() {
        if (token_.kind != Kind::name) fail();
        return advance();
    }

    // Scopes.
    Variable& declare(std::string name, Value value = {}) {
        variables_.push_back({std::move(name), std::move(value)});
        scope_.push_back(&variables_.back());
        return variables_.back();
    }
    Variable* find(std::string_view name) const {
        for (auto it = scope_.rbegin(); it != scope_.rend(); ++it)
            if ((*it)->name == name) return *it;
        return nullptr;
    }
    template <typename Inside>
    void scoped(Inside inside) {
        const std::size_t before = scope_.size();
        inside();
        scope_.resize(before);
    }

    // Facts, which count if the local that they rest on turns out to keep its value.
    void claim(const Variable* variable, std::function<void()> note) {
        claims_.emplace_back(variable, std::move(note));
    }
    void note_global(const Place& place, bool written) {
        facts_.globals.push_back({place.name, place.at, written, functions_ > 0});
    }
    void note_member(const Place& place, MemberUse::How how, bool passes_self = false) {
        if (place.value.type.empty()) return;
        claim(place.value.through,
              [this, use = MemberUse{place.value.type, place.value.global, place.name, place.at, how,
                                     passes_self}] { facts_.members.push_back(use); });
    }
    void note_name(std::vector<LuaFacts::Named> LuaFacts::*list, const Variable* variable,
                   std::string name, LuaPosition at, std::string nsp = {}) {
        claim(variable, [this, list, named = LuaFacts::Named{std::move(name), at, std::move(nsp)}] {
            (facts_.*list).push_back(named);
        });
    }

    // Statements.
    bool ends_block() const {
        return token_.kind == Kind::end || token_.is("end") || token_.is("else") ||
               token_.is("elseif") || token_.is("until");
    }
    void block() {
        scoped([this] { statements(); });
    }
    void statements() {
        const Depth depth(*this);
        while (!ends_block()) {
            if (accept("return")) {
                if (!ends_block() && !token_.is(";")) expressions();
                accept(";");
                if (!ends_block()) fail();
                return;
            }
            statement();
            accept(";");
        }
    }
    void statement() {
        if (accept("if")) {
            do {
                expression();
                expect("then");
                block();
            } while (accept("elseif"));
            if (accept("else")) block();
            expect("end");
        } else if (accept("while")) {
            expression();
            expect("do");
            block();
            expect("end");
        } else if (accept("do")) {
            block();
            expect("end");
        } else if (accept("for")) {
            for_loop();
        } else if (accept("repeat")) {
            scoped([this] {  // the condition sees the body's locals
                statements();
                expect("until");
                expression();
            });
        } else if (accept("function")) {
            function_statement();
        } else if (accept("local")) {
            local_statement();
        } else if (accept("break")) {
        } else if (accept("::")) {
            expect_name();
            expect("::");
        } else if (token_.kind == Kind::name && token_.text == "goto" &&
                   ahead_.kind == Kind::name) {
            advance();
            advance();
        } else if (!token_.is(";")) {
            expression_statement();
        }
    }
    void for_loop() {
        std::vector<std::string> names{expect_name().text};
        if (accept("=")) {
            expression();
            expect(",");
            expression();
            if (accept(",")) expression();
        } else {
            while (accept(",")) names.push_back(expect_name().text);
            expect("in");
            expressions();
        }
        expect("do");
        scoped([&] {
            for (std::string& name : names) declare(std::move(name));
            statements();
        });
        expect("end");
    }
    void function_statement() {
        Place place = named_place(expect_name());
        bool method = false;
        while (token_.is(".") || token_.is(":")) {
            method = token_.is(":");
            advance();
            const LuaToken name = expect_name();
            place = {Place::Sort::member, read(place), nullptr, name.text, name.at};
            if (method) break;
        }
        assign(place);
        function_body({}, method);
    }
    void local_statement() {
        if (accept("function")) {
            declare(expect_name().text);
            return function_body({}, false);
        }
        std::vector<std::string> names;
        do names.push_back(expect_name().text);
        while (accept(","));
        std::vector<Value> values;
        if (accept("=")) values = expressions();
        values.resize(std::max(values.size(), names.size()));
        for (std::size_t i = 0; i < names.size(); ++i)
            declare(std::move(names[i]), std::move(values[i]));
    }
    void expression_statement() {
        std::vector<Place> targets{suffixed()};
        while (accept(",")) targets.push_back(suffixed());
        if (!token_.is("=")) {
            // Only a call is a statement by itself.
            if (targets.size() > 1 || !last_was_call_) fail();
            return;
        }
        advance();
        expressions();
        for (const Place& target : targets) assign(target);
    }
    void assign(const Place& place) {
        if (place.sort == Place::Sort::local) place.local->reassigned = true;
        if (place.sort == Place::Sort::global) note_global(place, true);
        if (place.sort == Place::Sort::member) note_member(place, MemberUse::How::write);
    }

    // Expressions.
    std::vector<Value> expressions() {
        std::vector<Value> values;
        do values.push_back(expression());
        while (accept(","));
        return values;
    }
    static bool is_binary(const LuaToken& token) {
        static constexpr std::string_view kOperators[] = {"+",  "-",  "*",  "/",  "%",  "^",  "..", "==",
                                                          "~=", "<",  "<=", ">",  ">=", "and", "or"};
        return (token.kind == Kind::symbol || token.kind == Kind::keyword) &&
               is_one_of(token.text, kOperators);
    }
    /// Precedence does not matter here: whatever is combined is no value that is followed.
    Value expression() {
        const Depth depth(*this);
        Value value;
        for (bool alone = true;; alone = false) {
            const bool unary = token_.is("not") || token_.is("-") || token_.is("#");
            while (token_.is("not") || token_.is("-") || token_.is("#")) advance();
            value = simple();
            if (!alone || unary) value = {};
            if (!is_binary(token_)) return value;
            advance();
        }
    }
    Value simple() {
        if (token_.kind == Kind::number || token_.is("nil") || token_.is("true") ||
            token_.is("false") || token_.is("...")) {
            advance();
            return {};
        }
        if (token_.kind == Kind::string) {
            Value value;
            value.literal = advance().text;
            return value;
        }
        if (token_.is("{")) return table(), Value{};
        if (accept("function")) return function_body(std::exchange(parameter_, {}), false), Value{};
        return read(suffixed());
    }
    void table() {
        const Depth depth(*this);
        expect("{");
        while (!token_.is("}")) {
            if (accept("[")) {
                expression();
                expect("]");
                expect("=");
            } else if (token_.kind == Kind::name && ahead_.is("=")) {
                advance();
                advance();
            }
            expression();
            if (!accept(",") && !accept(";")) break;
        }
        expect("}");
    }
    void function_body(const Value& first_parameter, bool method) {
        expect("(");
        ++functions_;
        scoped([&] {
            if (method) declare("self");
            bool first = true;
            while (!token_.is(")")) {
                if (accept("...")) break;
                declare(expect_name().text, first ? first_parameter : Value{});
                first = false;
                if (!accept(",")) break;
            }
            expect(")");
            statements();
        });
        --functions_;
        expect("end");
    }

    Place named_place(const LuaToken& name) {
        Place place;
        place.name = name.text;
        place.at = name.at;
        place.local = find(name.text);
        place.sort = place.local ? Place::Sort::local : Place::Sort::global;
        return place;
    }
    /// The value at a place, which is thereby read.
    Value read(const Place& place) {
        switch (place.sort) {
            case Place::Sort::value: return place.value;
            case Place::Sort::local: {
                Value value = place.local->value;
                value.through = place.local;
                value.literal.reset();
                return value;
            }
            case Place::Sort::global: {
                note_global(place, false);
                if (place.name == "require") facts_.requires_computed = true;
                Value value;
                value.global = place.name;
                if (!is_object_type(place.name)) value.type = place.name;
                return value;
            }
            case Place::Sort::member: {
                note_member(place, MemberUse::How::read);
                Value value;
                if (place.value.type != kNamespaceType || place.name != "store") return value;
                value.type = kStoreType;
                value.through = place.value.through;
                return value;
            }
        }
        return {};
    }

    /// A name or a parenthesis with what follows it: members and calls.
    Place suffixed() {
        const Depth depth(*this);
        Place place;
        if (accept("(")) {
            place.value = expression();
            place.value.literal.reset();
            expect(")");
        } else {
            place = named_place(expect_name());
        }
        last_was_call_ = false;
        for (;;) {
            if (token_.is(".")) {
                advance();
                const LuaToken name = expect_name();
                place = {Place::Sort::member, read(place), nullptr, name.text, name.at};
                last_was_call_ = false;
            } else if (accept("[")) {
                read(place);
                place = {};
                expression();
                expect("]");
                last_was_call_ = false;
                place.sort = Place::Sort::member;
            } else if (token_.is(":")) {
                advance();
                const LuaToken name = expect_name();
                place = {Place::Sort::member, read(place), nullptr, name.text, name.at};
                place = call(place, true);
            } else if (token_.is("(") || token_.is("{") || token_.kind == Kind::string) {
                place = call(place, false);
            } else {
                return place;
            }
        }
    }

    std::vector<Value> arguments(const Value& handler_parameter) {
        std::vector<Value> values;
        if (token_.kind == Kind::string) {
            values.emplace_back().literal = advance().text;
        } else if (token_.is("{")) {
            table();
            values.emplace_back();
        } else {
            expect("(");
            while (!token_.is(")")) {
                if (token_.is("function")) parameter_ = handler_parameter;
                values.push_back(expression());
                if (!accept(",")) break;
                if (token_.is(")")) fail();
            }
            expect(")");
        }
        return values;
    }
    /// What is called is a member or a name; leaves what is known of the result.
    Place call(const Place& callee, bool colon) {
        const Depth depth(*this);
        Value handler_parameter;
        const bool member = callee.sort == Place::Sort::member;
        const Value& owner = callee.value;
        if (member && owner.type == kNamespaceType && is_one_of(callee.name, kSocketHandlers)) {
            handler_parameter.type = kSocketType;
            handler_parameter.through = owner.through;
        }
        const bool global = callee.sort == Place::Sort::global;
        if (global) note_global(callee, false);
        const std::vector<Value> values = arguments(handler_parameter);
        last_was_call_ = true;
        Place result;
        if (global) {
            result.value = called_global(callee, values);
        } else if (member) {
            const bool passes_self = !values.empty() && values.front().type == owner.type;
            note_member(callee, colon ? MemberUse::How::colon_call : MemberUse::How::dot_call,
                        passes_self);
            if (colon) result.value = called_method(callee, values);
            else if (owner.type == "geo" && callee.name == "index")
                result.value.type = kGeoIndexType, result.value.through = owner.through;
            else if (owner.type == "metrics" && is_one_of(callee.name, kMetricTypes))
                result.value.type = callee.name, result.value.through = owner.through;
        }
        return result;
    }
    Value called_global(const Place& callee, const std::vector<Value>& values) {
        Value result;
        result.global = callee.name;
        const auto text = [&](std::size_t i) {
            return i < values.size() ? values[i].literal : std::nullopt;
        };
        if (callee.name == "require") {
            if (const auto name = text(0)) {
                facts_.modules.push_back({*name, callee.at});
                result.type = *name;
            } else {
                facts_.requires_computed = true;
            }
        } else if (callee.name == "namespace") {
            result.type = kNamespaceType;
        } else if (callee.name == "namespace_of") {
            result.type = kRemoteChainType;
            if (const auto name = text(0)) {
                result.nsp = *name;
                facts_.namespaces.push_back({*name, callee.at});
            }
        } else if (callee.name == "after" || callee.name == "every") {
            result.type = kTimerType;
        } else if (callee.name == "ask") {
            if (const auto nsp = text(0)) {
                facts_.namespaces.push_back({*nsp, callee.at});
                if (const auto function = text(1))
                    facts_.asks.push_back({*function, callee.at, *nsp});
            }
        }
        return result;
    }
    Value called_method(const Place& callee, const std::vector<Value>& values) {
        const Value& owner = callee.value;
        Value result;
        if (!sends(owner.type)) return result;
        result.through = owner.through;
        result.nsp = owner.nsp;
        if (is_one_of(callee.name, kChainSteps))
            result.type = owner.type == kRemoteChainType ? kRemoteChainType : kChainType;
        if (values.empty() || !values.front().literal) return result;
        // Of another namespace that is not known by name nothing can be said.
        if (owner.type == kRemoteChainType && owner.nsp.empty()) return result;
        if (callee.name == "emit" || callee.name == "call")
            note_name(&LuaFacts::emits, owner.through, *values.front().literal, callee.at, owner.nsp);
        if (callee.name == "ask" && owner.type == kRemoteChainType)
            note_name(&LuaFacts::asks, owner.through, *values.front().literal, callee.at, owner.nsp);
        if (callee.name == "server_emit" && owner.type == kRemoteChainType)
            note_name(&LuaFacts::server_emits, owner.through, *values.front().literal, callee.at,
                      owner.nsp);
        return result;
    }

    LuaLexer lexer_;
    LuaToken token_, ahead_;
    LuaFacts facts_;
    std::deque<Variable> variables_;
    std::vector<Variable*> scope_;
    std::vector<std::pair<const Variable*, std::function<void()>>> claims_;
    int depth_ = 0;
    int functions_ = 0;
    Value parameter_;  // of a handler about to be read: its first
    bool last_was_call_ = false;
};

}  // namespace

bool is_object_type(std::string_view type) {
    static constexpr std::string_view kTypes[] = {
        kNamespaceType, kSocketType, kChainType,   kRemoteChainType, kTimerType,    kGeoIndexType,
        kRawType,       kStoreType,  kCounterType, kGaugeType,       kHistogramType};
    return is_one_of(type, kTypes);
}

LuaFacts read_facts(std::string_view source) { return Reader(source).read(); }

}  // namespace moonwire::script
