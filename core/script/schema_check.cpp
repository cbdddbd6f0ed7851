#include <algorithm>
#include <charconv>
#include <cmath>
#include <lua.hpp>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "core/base/utf8.hpp"
#include "core/script/json_decode.hpp"
#include "core/script/pattern.hpp"
#include "core/script/schema.hpp"
#include "core/script/schema_node.hpp"
#include "core/script/schema_text.hpp"
#include "core/script/values.hpp"
#include "core/script/vm.hpp"

namespace moonwire::script {
namespace {

using Kind = SchemaNode::Kind;

constexpr std::int64_t kMaxPatternSteps = 1'000'000;
constexpr std::size_t kMaxPatternSubject = 64u << 10;
constexpr std::uint32_t kMaxVisits = 5'000'000;  // alternatives within alternatives multiply
constexpr std::uint32_t kPollInterval = 4096;    // visits between two looks at the hook
constexpr int kKeysSought = 100;                 // for a misspelt one
constexpr std::size_t kAlternativesShown = 3;
constexpr std::size_t kShownDigits = 40;

/// An integer that decoding left as text, for no double holds it.
bool is_exact_integer(std::string_view text) {
    if (text.starts_with('-')) text.remove_prefix(1);
    if (text.size() < 16 || text[0] == '0' || text.find_first_not_of("0123456789") != text.npos)
        return false;
    return text.size() > 16 || text > "9007199254740992";
}

/// Holds one value against one tree; within a protected call. `fill` off: defaults are only thought
/// of, so that an alternative that fails leaves nothing behind. Words cost: they are only made for
/// what is told.
class Checker {
public:
    explicit Checker(lua_State* state) : state_(state) {}

    bool check(const SchemaNode& node, int value, bool fill) {
        if (!spend()) return false;
        luaL_checkstack(state_, 8, "schema");
        switch (node.kind) {
            case Kind::with_default: return with_default(node, value, fill);
            case Kind::optional:
                return lua_isnil(state_, value) || wrapped(node, value, fill);
            case Kind::nullable: return is_null(state_, value) || wrapped(node, value, fill);
            case Kind::one_of: return one_of(node, value, fill);
            default: break;
        }
        if (lua_isnil(state_, value)) return missing(node);
        switch (node.kind) {
            case Kind::any: return true;
            case Kind::boolean: return lua_isboolean(state_, value) || wrong_type(node, value);
            case Kind::number: return number(node, value);
            case Kind::integer: return integer(node, value);
            case Kind::string: return string(node, value);
            case Kind::binary: return binary(node, value);
            case Kind::enumeration: return enumeration(node, value);
            case Kind::array: return array(node, value, fill);
            case Kind::map: return map(node, value, fill);
            case Kind::object: return object(node, value, fill);
            default: return true;
        }
    }

    SchemaError take_error() { return std::move(*error_); }

private:
    /// `requirement()` says what must be.
    template <typename Requirement>
    bool fail(std::string_view rule, const SchemaNode& node, int value, Requirement requirement) {
        return quiet_ ? false : tell(rule, requirement(), expected_text(node), describe(value));
    }

    bool tell(std::string_view rule, std::string requirement, std::string expected,
              std::string got) {
        std::string message = std::move(requirement);
        message.append(" (").append(rule).append("), got ").append(got);
        return tell_as(rule, std::move(message), std::move(expected), std::move(got));
    }

    bool tell_as(std::string_view rule, std::string message, std::string expected,
                 std::string got) {
        error_ = SchemaError{path_text(), std::move(message), std::string(rule),
                             std::move(expected), std::move(got)};
        return false;
    }

    std::string path_text() const {
        std::string path = "$";
        for (const Step& step : path_) {
            if (step.element >= 0) {
                path += '[' + std::to_string(step.element) + ']';
            } else {
                path += '.';
                path += step.key;
            }
        }
        return path;
    }

    bool missing(const SchemaNode& node) {
        if (quiet_) return false;
        std::string expected = expected_text(node);
        std::string message = "is required: " + expected;
        return tell_as("required", std::move(message), std::move(expected), "nothing");
    }

    bool spend() {
        if (++visits_ < kMaxVisits &&
            (visits_ % kPollInterval != 0 || lua_gethookmask(state_) == 0))
            return true;
        exhausted_ = true;
        return tell_as("too_complex", "takes too long to check", "less to check", "too much");
    }

    bool wrong_type(const SchemaNode& node, int value) {
        return fail("type", node, value, [&] { return "must be " + expected_text(node); });
    }

    std::string describe(int value) {
        switch (lua_type(state_, value)) {
            case LUA_TNIL: return "nothing";
            case LUA_TBOOLEAN:
                return lua_toboolean(state_, value) ? "boolean true" : "boolean false";
            case LUA_TNUMBER: return "number " + number_text(lua_tonumber(state_, value));
            case LUA_TSTRING: return "string " + quoted_text(text(value));
            case LUA_TTABLE:
                if (!is_array(value)) return "an object";
                return "an array of " + counted(lua_objlen(state_, value), "elements");
            default: break;
        }
        if (is_null(state_, value)) return "null";
        if (const SharedBytes* bytes = to_bytes(state_, value))
            return "binary of " + counted(bytes->size(), "bytes");
        return std::string("a ") + luaL_typename(state_, value);
    }

    static std::string counted(std::size_t count, std::string_view unit) {
        std::string text = std::to_string(count) + ' ' + std::string(unit);
        if (count == 1) text.pop_back();
        return text;
    }

    std::string_view text(int value) {
        std::size_t length = 0;
        const char* data = lua_tolstring(state_, value, &length);
        return {data, length};
    }

    /// As it would be encoded: decoded arrays are marked, a script's may be plain lists.
    bool is_array(int value) {
        return is_marked_array(state_, value) || lua_objlen(state_, value) != 0;
    }

    /// Of the value itself, or of how many `unit` it has.
    bool in_range(const SchemaNode& node, int value, double measure, std::string_view unit) {
        const bool below = node.min && measure < *node.min;
        if (!below && !(node.max && measure > *node.max)) return true;
        if (quiet_) return false;
        const double bound = below ? *node.min : *node.max;
        std::string requirement = unit.empty() ? "must be at " : "must have at ";
        requirement += (below ? "least " : "most ") + number_text(bound);
        if (!unit.empty()) requirement.append(" ").append(unit);
        if (!unit.empty() && bound == 1) requirement.pop_back();
        std::string got = describe(value);
        if (node.kind == Kind::integer && lua_type(state_, value) == LUA_TSTRING)
            got = "integer " + std::string(text(value).substr(0, kShownDigits));
        if (node.kind == Kind::string)
            got += " of " + counted(static_cast<std::size_t>(measure), unit);
        return tell(below ? "min" : "max", std::move(requirement), expected_text(node),
                    std::move(got));
    }

    bool number(const SchemaNode& node, int value) {
        if (lua_type(state_, value) != LUA_TNUMBER) return wrong_type(node, value);
        const double number = lua_tonumber(state_, value);
        if (!std::isfinite(number)) return wrong_type(node, value);
        return in_range(node, value, number, {});
    }

    bool integer(const SchemaNode& node, int value) {
        if (lua_type(state_, value) == LUA_TSTRING && is_exact_integer(text(value))) {
            const std::string_view digits = text(value);
            double nearest = 0;
            if (std::from_chars(digits.data(), digits.data() + digits.size(), nearest).ec !=
                std::errc())
                nearest = digits[0] == '-' ? -HUGE_VAL : HUGE_VAL;
            return in_range(node, value, nearest, {});
        }
        const double number =
            lua_type(state_, value) == LUA_TNUMBER ? lua_tonumber(state_, value) : NAN;
        if (!std::isfinite(number) || number != std::floor(number)) return wrong_type(node, value);
        return in_range(node, value, number, {});
    }

    bool string(const SchemaNode& node, int value) {
        if (lua_type(state_, value) != LUA_TSTRING) return wrong_type(node, value);
        const std::string_view subject = text(value);
        if ((node.min || node.max) &&
            !in_range(node, value, static_cast<double>(utf8_length(subject)), "characters"))
            return false;
        if (!matches_format(node.format, subject))
            return fail("format", node, value, [&] {
                return "must be a valid " + std::string(schema_format_name(node.format));
            });
        return node.pattern.empty() || pattern(node, value, subject);
    }

    bool pattern(const SchemaNode& node, int value, std::string_view subject) {
        if (subject.size() > kMaxPatternSubject)
            return fail("pattern", node, value, [] {
                return "must have at most " + std::to_string(kMaxPatternSubject) +
                       " bytes to be matched";
            });
        std::string_view pattern = node.pattern;
        const bool anchored = pattern.starts_with('^');
        if (anchored) pattern.remove_prefix(1);
        MatchBudget budget{kMaxPatternSteps, state_};
        PatternMatch match(subject, pattern, budget);
        const char* const end = subject.data() + subject.size();
        for (const char* at = subject.data(); at <= end; ++at) {
            if (match.match(at)) return true;
            if (match.problem())
                return fail("pattern", node, value, [&] { return std::string(match.problem()); });
            if (anchored) break;
        }
        return fail("pattern", node, value,
                    [&] { return "must match " + quoted_text(node.pattern); });
    }

    bool binary(const SchemaNode& node, int value) {
        const SharedBytes* bytes = to_bytes(state_, value);
        if (!bytes) return wrong_type(node, value);
        return in_range(node, value, static_cast<double>(bytes->size()), "bytes");
    }

    bool enumeration(const SchemaNode& node, int value) {
        for (const SchemaNode::Constant& constant : node.constants)
            if (equals(constant, value)) return true;
        return fail("enum", node, value, [&] { return "must be " + expected_text(node); });
    }

    bool equals(const SchemaNode::Constant& constant, int value) {
        switch (lua_type(state_, value)) {
            case LUA_TBOOLEAN:
                return constant == SchemaNode::Constant(lua_toboolean(state_, value) != 0);
            case LUA_TNUMBER: return constant == SchemaNode::Constant(lua_tonumber(state_, value));
            case LUA_TSTRING: {
                const auto* held = std::get_if<std::string>(&constant);
                return held && *held == text(value);
            }
            default: return false;
        }
    }

    bool array(const SchemaNode& node, int value, bool fill) {
        if (!lua_istable(state_, value) || !is_array(value)) return wrong_type(node, value);
        const auto size = static_cast<int>(lua_objlen(state_, value));
        if (!in_range(node, value, size, "elements")) return false;
        for (int i = 1; i <= size; ++i) {
            lua_rawgeti(state_, value, i);
            path_.push_back({{}, i - 1});
            if (!member(*node.children[0], fill)) return false;
            path_.pop_back();
            if (fill) lua_rawseti(state_, value, i);
            else lua_pop(state_, 1);
        }
        return true;
    }

    bool map(const SchemaNode& node, int value, bool fill) {
        if (!lua_istable(state_, value) || is_array(value)) return wrong_type(node, value);
        lua_pushnil(state_);
        while (lua_next(state_, value)) {
            if (lua_type(state_, -2) != LUA_TSTRING) return wrong_type(node, value);
            path_.push_back({text(-2), -1});
            if (!member(*node.children[0], fill)) return false;
            path_.pop_back();
            if (fill) {  // assigning to a field that is there does not disturb the walk
                lua_pushvalue(state_, -2);
                lua_insert(state_, -2);
                lua_rawset(state_, value);
            } else {
                lua_pop(state_, 1);
            }
        }
        return true;
    }

    bool object(const SchemaNode& node, int value, bool fill) {
        if (!lua_istable(state_, value) || is_array(value)) return wrong_type(node, value);
        for (const SchemaNode::Field& field : node.fields) {
            lua_pushlstring(state_, field.name.data(), field.name.size());
            lua_pushvalue(state_, -1);
            lua_rawget(state_, value);
            const bool missing = lua_isnil(state_, -1);
            path_.push_back({field.name, -1});
            if (!member(*field.schema, fill)) {
                if (missing && !quiet_) add_misspelt(node, field, value);
                return false;
            }
            path_.pop_back();
            if (fill && missing && !lua_isnil(state_, -1)) lua_rawset(state_, value);
            else lua_pop(state_, 2);
        }
        return node.additional || no_others(node, value);
    }

    static bool has_field(const SchemaNode& node, std::string_view name) {
        const auto found = std::lower_bound(
            node.fields.begin(), node.fields.end(), name,
            [](const SchemaNode::Field& field, std::string_view wanted) {
                return field.name < wanted;
            });
        return found != node.fields.end() && found->name == name;
    }

    /// Whoever left a field out may have misspelt it.
    void add_misspelt(const SchemaNode& node, const SchemaNode::Field& field, int value) {
        lua_pushnil(state_);
        for (int sought = 0; sought < kKeysSought && lua_next(state_, value); ++sought) {
            lua_pop(state_, 1);
            if (lua_type(state_, -1) != LUA_TSTRING || has_field(node, text(-1))) continue;
            if (nearest_field(node, text(-1)) == &field) {
                error_->message += "; is " + quoted_text(text(-1)) + " meant to be it?";
                return;
            }
        }
    }

    bool no_others(const SchemaNode& node, int value) {
        lua_pushnil(state_);
        while (lua_next(state_, value)) {
            if (!spend()) return false;
            const std::string_view name =
                lua_type(state_, -2) == LUA_TSTRING ? text(-2) : std::string_view("?");
            if (!has_field(node, name)) {
                if (quiet_) return false;
                path_.push_back({name, -1});
                tell("additional", "is not a field here", "no such field",
                     describe(lua_gettop(state_)));
                if (const auto* nearest = nearest_field(node, name))
                    error_->message += "; did you mean " + quoted_text(nearest->name) + "?";
                else if (!node.fields.empty())
                    error_->message += "; the fields are " + fields_text(node);
                return false;
            }
            lua_pop(state_, 1);
        }
        return true;
    }

    /// The value on top, which a default may replace.
    bool member(const SchemaNode& node, bool fill) { return check(node, lua_gettop(state_), fill); }

    /// The one child; what is told of the value's type is told of what the wrapper adds, too.
    bool wrapped(const SchemaNode& node, int value, bool fill) {
        const std::size_t steps = path_.size();
        if (check(*node.children[0], value, fill)) return true;
        if (quiet_ || exhausted_ || path_.size() != steps) return false;
        if (error_->rule == "type") return wrong_type(node, value);
        return error_->rule == "required" ? missing(node) : false;
    }

    bool with_default(const SchemaNode& node, int value, bool fill) {
        if (!lua_isnil(state_, value)) return wrapped(node, value, fill);
        if (!fill) return true;
        if (const auto done = decode_json(state_, node.default_json); !done)
            return tell_as("default", done.error().message, expected_text(node), "nothing");
        lua_replace(state_, value);
        // The default's own missing fields have defaults, too.
        return check(*node.children[0], value, fill);
    }

    bool one_of(const SchemaNode& node, int value, bool fill) {
        ++quiet_;
        const SchemaNode* held = nullptr;
        for (const auto& alternative : node.children) {
            if (!attempt(*alternative, value)) continue;
            held = alternative.get();
            break;
        }
        --quiet_;
        if (exhausted_) return false;
        if (held) return !fill || check(*held, value, true);
        if (quiet_) return false;
        return lua_isnil(state_, value) ? missing(node) : none_of(node, value);
    }

    /// Checks without a trace.
    bool attempt(const SchemaNode& node, int value) {
        const int top = lua_gettop(state_);
        const std::size_t steps = path_.size();
        if (!exhausted_ && check(node, value, false)) return true;
        lua_settop(state_, top);
        path_.resize(steps);
        return false;
    }

    /// Says which there are, and where in the value those fail that could have been meant.
    bool none_of(const SchemaNode& node, int value) {
        const std::string here = path_text();
        std::string reasons;
        std::size_t shown = 0;
        for (std::size_t i = 0; i < node.children.size(); ++i) {
            attempt(*node.children[i], value);
            if (exhausted_) return false;
            if (error_->path == here || ++shown > kAlternativesShown) continue;
            reasons += "; alternative " + std::to_string(i + 1) + ": " + error_->path + ' ' +
                       error_->message;
        }
        if (shown > kAlternativesShown) reasons += "; …";
        std::string got = describe(value), expected = expected_text(node);
        std::string message = "must be " + expected + " (one_of), got " + got + reasons;
        return tell_as("one_of", std::move(message), std::move(expected), std::move(got));
    }

    struct Step {
        std::string_view key;  // on the Lua stack or in the schema
        int element;           // from 0, as JSON's readers count; -1: it is a key
    };

    lua_State* state_;
    std::vector<Step> path_;
    std::optional<SchemaError> error_;
    std::uint32_t visits_ = 0;
    int quiet_ = 0;  // alternatives that are tried; nothing is told of them
    bool exhausted_ = false;
};

}  // namespace

std::optional<SchemaError> check_node(lua_State* state, const SchemaNode& node, int value_index) {
    Checker checker(state);
    const int top = lua_gettop(state);
    const bool good = checker.check(node, value_index, true);
    lua_settop(state, top);
    if (good) return std::nullopt;
    return checker.take_error();
}

namespace {

/// Protected; the value may be replaced if `fill`.
std::optional<SchemaError> check_guarded(lua_State* state, const SchemaNode& node, int value_index,
                                         bool fill) {
    if (value_index < 0) value_index += lua_gettop(state) + 1;
    Checker checker(state);
    bool good = false;
    lua_pushvalue(state, value_index);
    const Result<int> done = Vm::protect(state, 1, [&](lua_State* inner) {
        good = checker.check(node, 1, fill);
        lua_settop(inner, 1);
        return 1;
    });
    if (!done) return SchemaError{"$", done.error().message, "memory", "memory", "none"};
    if (fill) lua_replace(state, value_index);
    else lua_pop(state, 1);
    if (good) return std::nullopt;
    return checker.take_error();
}

}  // namespace

std::optional<SchemaError> check_schema(lua_State* state, int schema_index, int value_index) {
    const SchemaNode::Child node = to_schema(state, schema_index);
    if (node) return check_guarded(state, *node, value_index, true);
    return SchemaError{"$", "is checked against something that is no schema", "schema", "a schema",
                       luaL_typename(state, schema_index)};
}

std::optional<SchemaError> test_node(lua_State* state, const SchemaNode& node, int value_index) {
    return check_guarded(state, node, value_index, false);
}

}  // namespace moonwire::script
