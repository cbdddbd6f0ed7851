#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <lua.hpp>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "core/script/json_decode.hpp"
#include "core/script/pattern.hpp"
#include "core/script/schema.hpp"
#include "core/script/schema_node.hpp"
#include "core/script/utf8.hpp"
#include "core/script/values.hpp"
#include "core/script/vm.hpp"

namespace moonwire::script {
namespace {

using Kind = SchemaNode::Kind;

constexpr std::int64_t kMaxPatternSteps = 1'000'000;
constexpr std::size_t kMaxPatternSubject = 64u << 10;
constexpr std::uint32_t kMaxVisits = 5'000'000;  // alternatives within alternatives multiply
constexpr std::uint32_t kPollInterval = 4096;    // visits between two looks at the hook
constexpr std::size_t kShownLength = 40;

std::string number_text(double value) {
    std::array<char, 32> text;
    const auto [end, error] = std::to_chars(text.begin(), text.end(), value);
    return std::string(text.begin(), end);
}

/// "'a long te…'", cut between characters.
std::string quoted(std::string_view text) {
    std::string shown = "'";
    std::size_t length = text.size();
    if (length > kShownLength) {
        length = kShownLength;
        while (length > 0 && (static_cast<unsigned char>(text[length]) & 0xc0) == 0x80) --length;
    }
    shown += text.substr(0, length);
    if (length < text.size()) shown += "…";
    return shown + "'";
}

/// An integer that decoding left as text, for no double holds it.
bool is_exact_integer(std::string_view text) {
    if (text.starts_with('-')) text.remove_prefix(1);
    if (text.size() < 16 || text[0] == '0' || text.find_first_not_of("0123456789") != text.npos)
        return false;
    return text.size() > 16 || text > "9007199254740992";
}

/// Holds one value against one tree; within a protected call. `fill` off: defaults are only thought
/// of, so that an alternative that fails leaves nothing behind.
class Checker {
public:
    explicit Checker(lua_State* state) : state_(state) {}

    bool check(const SchemaNode& node, int value, bool fill) {
        if (!spend()) return false;
        luaL_checkstack(state_, 8, "schema");
        if (node.kind == Kind::with_default) return with_default(node, value, fill);
        if (node.kind == Kind::optional)
            return lua_isnil(state_, value) || check(*node.children[0], value, fill);
        if (node.kind == Kind::one_of) return one_of(node, value, fill);
        if (node.kind == Kind::nullable && is_null(state_, value)) return true;
        if (node.kind == Kind::nullable) return check(*node.children[0], value, fill);
        if (lua_isnil(state_, value)) return fail("required", "is required");
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
    bool fail(std::string_view rule, std::string message) {
        std::string path = "$";
        for (const Step& step : path_) {
            if (step.element >= 0) {
                path += '[' + std::to_string(step.element) + ']';
            } else {
                path += '.';
                path += step.key;
            }
        }
        error_ = SchemaError{std::move(path), std::move(message), std::string(rule)};
        return false;
    }

    bool spend() {
        if (++visits_ < kMaxVisits &&
            (visits_ % kPollInterval != 0 || lua_gethookmask(state_) == 0))
            return true;
        exhausted_ = true;
        return fail("too_complex", "takes too long to check");
    }

    bool wrong_type(const SchemaNode& node, int value) {
        return fail("type", "must be " + expected(node) + ", got " + describe(value));
    }

    static std::string expected(const SchemaNode& node) {
        switch (node.kind) {
            case Kind::boolean: return "a boolean";
            case Kind::number: return "a number";
            case Kind::integer: return "an integer";
            case Kind::string: return "a string";
            case Kind::binary: return "binary";
            case Kind::array: return "an array";
            default: return "an object";
        }
    }

    std::string describe(int value) {
        switch (lua_type(state_, value)) {
            case LUA_TNIL: return "nothing";
            case LUA_TBOOLEAN: return lua_toboolean(state_, value) ? "true" : "false";
            case LUA_TNUMBER: return number_text(lua_tonumber(state_, value));
            case LUA_TSTRING: return "string " + quoted(text(value));
            case LUA_TTABLE: return is_array(value) ? "an array" : "an object";
            default: break;
        }
        if (is_null(state_, value)) return "null";
        if (to_bytes(state_, value)) return "binary";
        return std::string("a ") + luaL_typename(state_, value);
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
    bool in_range(const SchemaNode& node, double measure, std::string_view unit,
                  std::string_view shown = {}) {
        const auto say = [&](std::string_view rule, std::string_view bound_text, double bound) {
            std::string message = unit.empty() ? "must be " : "must have ";
            message += bound_text;
            message += ' ' + number_text(bound);
            if (!unit.empty()) {
                message += ' ';
                message += unit;
                if (bound == 1) message.pop_back();
            }
            message += ", got ";
            message += shown.empty() ? number_text(measure) : std::string(shown);
            return fail(rule, std::move(message));
        };
        if (node.min && measure < *node.min) return say("min", "at least", *node.min);
        if (node.max && measure > *node.max) return say("max", "at most", *node.max);
        return true;
    }

    bool number(const SchemaNode& node, int value) {
        if (lua_type(state_, value) != LUA_TNUMBER) return wrong_type(node, value);
        const double number = lua_tonumber(state_, value);
        if (!std::isfinite(number)) return wrong_type(node, value);
        return in_range(node, number, {});
    }

    bool integer(const SchemaNode& node, int value) {
        if (lua_type(state_, value) == LUA_TSTRING && is_exact_integer(text(value))) {
            const std::string_view digits = text(value);
            double nearest = 0;
            if (std::from_chars(digits.data(), digits.data() + digits.size(), nearest).ec !=
                std::errc())
                nearest = digits[0] == '-' ? -HUGE_VAL : HUGE_VAL;
            return in_range(node, nearest, {}, digits.substr(0, kShownLength));
        }
        const double number =
            lua_type(state_, value) == LUA_TNUMBER ? lua_tonumber(state_, value) : NAN;
        if (!std::isfinite(number) || number != std::floor(number)) return wrong_type(node, value);
        return in_range(node, number, {});
    }

    bool string(const SchemaNode& node, int value) {
        if (lua_type(state_, value) != LUA_TSTRING) return wrong_type(node, value);
        const std::string_view subject = text(value);
        if ((node.min || node.max) &&
            !in_range(node, static_cast<double>(utf8_length(subject)), "characters"))
            return false;
        if (!matches_format(node.format, subject))
            return fail("format", "must be a valid " +
                                      std::string(schema_format_name(node.format)) + ", got " +
                                      quoted(subject));
        return node.pattern.empty() || pattern(node, subject);
    }

    bool pattern(const SchemaNode& node, std::string_view subject) {
        if (subject.size() > kMaxPatternSubject)
            return fail("pattern", "is too long to be matched");
        std::string_view pattern = node.pattern;
        const bool anchored = pattern.starts_with('^');
        if (anchored) pattern.remove_prefix(1);
        MatchBudget budget{kMaxPatternSteps, state_};
        PatternMatch match(subject, pattern, budget);
        const char* const end = subject.data() + subject.size();
        for (const char* at = subject.data(); at <= end; ++at) {
            if (match.match(at)) return true;
            if (match.problem()) return fail("pattern", match.problem());
            if (anchored) break;
        }
        return fail("pattern", "must match " + quoted(node.pattern) + ", got " + quoted(subject));
    }

    bool binary(const SchemaNode& node, int value) {
        const SharedBytes* bytes = to_bytes(state_, value);
        if (!bytes) return wrong_type(node, value);
        return in_range(node, static_cast<double>(bytes->size()), "bytes");
    }

    bool enumeration(const SchemaNode& node, int value) {
        for (const SchemaNode::Constant& constant : node.constants)
            if (equals(constant, value)) return true;
        std::string all;
        for (const SchemaNode::Constant& constant : node.constants) {
            if (!all.empty()) all += ", ";
            if (all.size() > 200) {
                all += "…";
                break;
            }
            all += std::visit(
                [](const auto& held) -> std::string {
                    using Held = std::decay_t<decltype(held)>;
                    if constexpr (std::is_same_v<Held, bool>) return held ? "true" : "false";
                    else if constexpr (std::is_same_v<Held, double>) return number_text(held);
                    else return quoted(held);
                },
                constant);
        }
        return fail("enum", "must be one of " + all + ", got " + describe(value));
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
        if (!in_range(node, size, "elements")) return false;
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
            if (!member(*field.schema, fill)) return false;
            path_.pop_back();
            if (fill && missing && !lua_isnil(state_, -1)) lua_rawset(state_, value);
            else lua_pop(state_, 2);
        }
        return node.additional || no_others(node, value);
    }

    bool no_others(const SchemaNode& node, int value) {
        lua_pushnil(state_);
        while (lua_next(state_, value)) {
            lua_pop(state_, 1);
            if (!spend()) return false;
            const std::string_view name =
                lua_type(state_, -1) == LUA_TSTRING ? text(-1) : std::string_view("?");
            const auto found =
                std::lower_bound(node.fields.begin(), node.fields.end(), name,
                                 [](const SchemaNode::Field& field, std::string_view wanted) {
                                     return field.name < wanted;
                                 });
            if (found != node.fields.end() && found->name == name) continue;
            path_.push_back({name, -1});
            return fail("additional", "is not a field here");
        }
        return true;
    }

    /// The value on top, which a default may replace.
    bool member(const SchemaNode& node, bool fill) { return check(node, lua_gettop(state_), fill); }

    bool with_default(const SchemaNode& node, int value, bool fill) {
        if (!lua_isnil(state_, value)) return check(*node.children[0], value, fill);
        if (!fill) return true;
        if (const auto done = decode_json(state_, node.default_json); !done)
            return fail("default", done.error().message);
        lua_replace(state_, value);
        // The default's own missing fields have defaults, too.
        return check(*node.children[0], value, fill);
    }

    bool one_of(const SchemaNode& node, int value, bool fill) {
        const int top = lua_gettop(state_);
        const auto path = path_;
        std::optional<SchemaError> closest;
        for (const auto& alternative : node.children) {
            if (check(*alternative, value, false)) {
                return !fill || check(*alternative, value, true);
            }
            lua_settop(state_, top);
            path_ = path;
            if (exhausted_) return false;
            if (!closest || error_->path.size() > closest->path.size()) closest = std::move(error_);
        }
        if (lua_isnil(state_, value)) return fail("required", "is required");
        return fail("one_of", "matches none of " + std::to_string(node.children.size()) +
                                  " alternatives; the closest: " + closest->path + " " +
                                  closest->message);
    }

    struct Step {
        std::string_view key;  // on the Lua stack or in the schema
        int element;           // from 0, as JSON's readers count; -1: it is a key
    };

    lua_State* state_;
    std::vector<Step> path_;
    std::optional<SchemaError> error_;
    std::uint32_t visits_ = 0;
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

std::optional<SchemaError> check_schema(lua_State* state, int schema_index, int value_index) {
    if (value_index < 0) value_index += lua_gettop(state) + 1;
    const SchemaNode::Child node = to_schema(state, schema_index);
    if (!node) return SchemaError{"$", "is checked against something that is no schema", "schema"};
    Checker checker(state);
    bool good = false;
    lua_pushvalue(state, value_index);
    const Result<int> done = Vm::protect(state, 1, [&](lua_State* inner) {
        good = checker.check(*node, 1, true);
        lua_settop(inner, 1);
        return 1;
    });
    if (!done) return SchemaError{"$", done.error().message, "memory"};
    lua_replace(state, value_index);
    if (good) return std::nullopt;
    return checker.take_error();
}

}  // namespace moonwire::script
