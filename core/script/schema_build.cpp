#include <algorithm>
#include <cmath>
#include <initializer_list>
#include <lua.hpp>
#include <new>
#include <string>
#include <utility>

#include "core/script/json_decode.hpp"
#include "core/script/json_encode.hpp"
#include "core/script/pattern.hpp"
#include "core/script/registry.hpp"
#include "core/script/schema.hpp"
#include "core/script/schema_node.hpp"
#include "core/script/values.hpp"
#include "core/script/vm.hpp"

namespace moonwire::script {
namespace {

using Kind = SchemaNode::Kind;

/// Why a constructor's arguments are wrong. The constructors build C++ objects, which a Lua error
/// should not cut through: they throw this, and `construct` turns it into one at the end.
struct BadSchema {
    std::string message;
};

[[noreturn]] void refuse(std::string message) { throw BadSchema{std::move(message)}; }

/// The key at `index` for a message; never converts it, for lua_next needs it as it is.
std::string key_name(lua_State* state, int index) {
    if (lua_type(state, index) == LUA_TSTRING)
        return std::string("'") + lua_tostring(state, index) + "'";
    if (lua_type(state, index) == LUA_TNUMBER)
        return std::to_string(static_cast<long long>(lua_tonumber(state, index)));
    return std::string("a ") + luaL_typename(state, index);
}

SchemaNode::Child child_at(lua_State* state, int index, const std::string& what) {
    if (auto schema = to_schema(state, index)) {
        if (schema->is_raw) refuse(what + " can't be schema.raw(), which is for whole arguments");
        return schema;
    }
    refuse(what + " must be a schema, got " + luaL_typename(state, index));
}

void measure(SchemaNode& node, const SchemaNode& child) {
    node.depth = std::max(node.depth, child.depth + 1);
    if (node.depth > kMaxJsonDepth) refuse("nested deeper than 64 levels");
    node.size += child.size;
    if (node.size > kMaxSchemaSize) refuse("more than 100000 schemas in one");
}

void adopt(SchemaNode& node, SchemaNode::Child child) {
    measure(node, *child);
    node.children.push_back(std::move(child));
}

double number_option(lua_State* state, std::string_view name) {
    if (lua_type(state, -1) != LUA_TNUMBER || std::isnan(lua_tonumber(state, -1)))
        refuse("option '" + std::string(name) + "' must be a number, got " +
               luaL_typename(state, -1));
    return lua_tonumber(state, -1);
}

std::string_view string_option(lua_State* state, std::string_view name) {
    if (lua_type(state, -1) != LUA_TSTRING)
        refuse("option '" + std::string(name) + "' must be a string, got " +
               luaL_typename(state, -1));
    std::size_t length = 0;
    const char* text = lua_tolstring(state, -1, &length);
    return {text, length};
}

/// Calls `each(name)` with the value on top for every member of the options at `index`, if any, but
/// for the description, which all have.
template <typename Each>
void for_options(lua_State* state, SchemaNode& node, int index, Each&& each) {
    if (lua_isnoneornil(state, index)) return;
    if (!lua_istable(state, index))
        refuse(std::string("options must be a table, got ") + luaL_typename(state, index));
    lua_pushnil(state);
    while (lua_next(state, index)) {
        const std::string_view name =
            lua_type(state, -2) == LUA_TSTRING ? lua_tostring(state, -2) : "";
        if (name == "description") node.description = string_option(state, name);
        else if (name.empty() || !each(name)) refuse("unknown option " + key_name(state, -2));
        lua_pop(state, 1);
    }
}

void no_options(lua_State* state, SchemaNode& node, int index) {
    for_options(state, node, index, [](std::string_view) { return false; });
}

bool range_option(lua_State* state, SchemaNode& node, std::string_view name) {
    if (name == "min") node.min = number_option(state, name);
    else if (name == "max") node.max = number_option(state, name);
    else return false;
    return true;
}

void check_range(const SchemaNode& node, bool counts) {
    if (node.min && node.max && *node.min > *node.max) refuse("'min' is over 'max'");
    for (const auto& bound : {node.min, node.max})
        if (counts && bound && (*bound < 0 || *bound != std::floor(*bound)))
            refuse("'min' and 'max' count: they must be whole and not negative");
}

void build_ranged(lua_State* state, SchemaNode& node, int options, bool counts) {
    for_options(state, node, options,
                [&](std::string_view name) { return range_option(state, node, name); });
    check_range(node, counts);
}

void build_string(lua_State* state, SchemaNode& node) {
    for_options(state, node, 1, [&](std::string_view name) {
        if (name == "pattern") {
            node.pattern = string_option(state, name);
            std::string_view pattern = node.pattern;
            if (pattern.starts_with('^')) pattern.remove_prefix(1);
            MatchBudget budget{0};
            PatternMatch match({}, pattern, budget);
            if (const char* problem = match.syntax_problem())
                refuse(std::string("option 'pattern': ") + problem);
            return true;
        }
        if (name == "format") {
            const auto format = parse_schema_format(string_option(state, name));
            if (!format)
                refuse("option 'format' must be date-time, uuid, email or uri, got '" +
                       std::string(string_option(state, name)) + "'");
            node.format = *format;
            return true;
        }
        return range_option(state, node, name);
    });
    check_range(node, true);
}

/// What is no field among an object's: the value on top is none that a field could have.
bool object_option(lua_State* state, SchemaNode& node, std::string_view name) {
    if (name == "additional" && lua_isboolean(state, -1)) {
        node.additional = lua_toboolean(state, -1);
        return true;
    }
    if (name != "description" || lua_type(state, -1) != LUA_TSTRING) return false;
    node.description = string_option(state, name);
    return true;
}

void build_object(lua_State* state, SchemaNode& node) {
    if (!lua_istable(state, 1))
        refuse(std::string("a table of fields expected, got ") + luaL_typename(state, 1));
    lua_pushnil(state);
    while (lua_next(state, 1)) {
        if (lua_type(state, -2) != LUA_TSTRING)
            refuse("a field's name must be a string, got " + key_name(state, -2));
        std::size_t length = 0;
        const char* name = lua_tolstring(state, -2, &length);
        if (!object_option(state, node, {name, length})) {
            auto schema = child_at(state, -1, "field " + key_name(state, -2));
            measure(node, *schema);
            node.fields.push_back({std::string(name, length), std::move(schema)});
        }
        lua_pop(state, 1);
    }
    // Lua's order differs from run to run; messages and written types should not.
    std::sort(node.fields.begin(), node.fields.end(),
              [](const auto& left, const auto& right) { return left.name < right.name; });
    for_options(state, node, 2, [&](std::string_view name) {
        if (name != "additional") return false;
        if (!lua_isboolean(state, -1)) refuse("option 'additional' must be true or false");
        node.additional = lua_toboolean(state, -1);
        return true;
    });
}

/// Calls `each(i)` with the element on top for a list of at least one.
template <typename Each>
void for_list(lua_State* state, const char* of_what, Each&& each) {
    const std::size_t size = lua_istable(state, 1) ? lua_objlen(state, 1) : 0;
    if (size == 0) refuse(std::string("a list of ") + of_what + " expected");
    for (std::size_t i = 1; i <= size; ++i) {
        lua_rawgeti(state, 1, static_cast<int>(i));
        each(i);
        lua_pop(state, 1);
    }
}

void build_enum(lua_State* state, SchemaNode& node) {
    for_list(state, "values", [&](std::size_t i) {
        switch (lua_type(state, -1)) {
            case LUA_TBOOLEAN: node.constants.emplace_back(lua_toboolean(state, -1) != 0); break;
            case LUA_TNUMBER: node.constants.emplace_back(lua_tonumber(state, -1)); break;
            case LUA_TSTRING:
                node.constants.emplace_back(std::string(string_option(state, "")));
                break;
            default:
                refuse("value " + std::to_string(i) + " must be a string, number or boolean, got " +
                       luaL_typename(state, -1));
        }
    });
}

void build_default(lua_State* state, SchemaNode& node) {
    adopt(node, child_at(state, 1, "the first argument"));
    if (lua_isnoneornil(state, 2)) refuse("the default value is missing");
    Encoded encoded;
    if (const auto done = encode_json(state, 2, encoded, BinaryValues::refused, "default"); !done)
        refuse(done.error().message);
    node.default_json = std::move(encoded.json);
    // It is checked as it will be filled in, so a value that JSON changes is found out here.
    if (const auto done = decode_json(state, node.default_json); !done)
        refuse(done.error().message);
    if (const auto error = check_node(state, *node.children[0], lua_gettop(state)))
        refuse("the default does not hold: " + error->path + " " + error->message);
    lua_pop(state, 1);
}

void build(lua_State* state, SchemaNode& node) {
    switch (node.kind) {
        case Kind::any:
        case Kind::boolean: no_options(state, node, 1); break;
        case Kind::number:
        case Kind::integer: build_ranged(state, node, 1, false); break;
        case Kind::binary: build_ranged(state, node, 1, true); break;
        case Kind::string: build_string(state, node); break;
        case Kind::enumeration:
            build_enum(state, node);
            no_options(state, node, 2);
            break;
        case Kind::object: build_object(state, node); break;
        case Kind::array:
            adopt(node, child_at(state, 1, "the first argument"));
            build_ranged(state, node, 2, true);
            break;
        case Kind::one_of:
            for_list(state, "schemas", [&](std::size_t i) {
                adopt(node, child_at(state, -1, "alternative " + std::to_string(i)));
            });
            no_options(state, node, 2);
            break;
        case Kind::map:
        case Kind::optional:
        case Kind::nullable:
            adopt(node, child_at(state, 1, "the first argument"));
            no_options(state, node, 2);
            break;
        case Kind::with_default:
            build_default(state, node);
            no_options(state, node, 3);
            break;
    }
}

struct Constructor {
    const char* name;
    Kind kind;
};
constexpr Constructor kConstructors[] = {
    {"any", Kind::any},           {"boolean", Kind::boolean},     {"number", Kind::number},
    {"integer", Kind::integer},   {"string", Kind::string},       {"binary", Kind::binary},
    {"enum", Kind::enumeration},  {"array", Kind::array},         {"map", Kind::map},
    {"object", Kind::object},     {"one_of", Kind::one_of},       {"optional", Kind::optional},
    {"nullable", Kind::nullable}, {"default", Kind::with_default}};

const char* constructor_name(Kind kind) {
    for (const auto& constructor : kConstructors)
        if (constructor.kind == kind) return constructor.name;
    return "";
}

struct Held {
    SchemaNode::Child node;
    std::size_t charged = 0;
};

/// Roughly what a node keeps outside of Lua, its children apart.
std::size_t weight(const SchemaNode& node) {
    std::size_t bytes = sizeof node + node.pattern.size() + node.default_json.size() +
                        node.name.size() + node.description.size() +
                        node.children.size() * sizeof(SchemaNode::Child) +
                        node.constants.size() * sizeof(SchemaNode::Constant);
    for (const auto& constant : node.constants)
        if (const auto* text = std::get_if<std::string>(&constant)) bytes += text->size();
    for (const auto& field : node.fields) bytes += sizeof field + field.name.size();
    return bytes;
}

/// Makes the node of what is at 1 to 3 by `build(node)` and leaves it as a schema; raises what is
/// wrong with it.
template <typename Build>
int make_schema(lua_State* state, const char* constructor, Build&& build) {
    luaL_checkstack(state, 16, "schema");
    // Made before the tree is, so that nothing but this userdata owns it when an error is raised.
    lua_settop(state, 3);
    auto* held = ::new (lua_newuserdata(state, sizeof(Held))) Held();
    lua_rawgeti(state, LUA_REGISTRYINDEX, kSchemaMetatableKey);
    lua_setmetatable(state, -2);
    bool good = false;
    {
        auto node = std::make_shared<SchemaNode>();
        try {
            build(*node);
            held->node = std::move(node);
            good = true;
        } catch (const BadSchema& bad) {
            luaL_where(state, 1);
            lua_pushfstring(state, "schema.%s: %s", constructor, bad.message.c_str());
            lua_concat(state, 2);
        }
    }
    if (!good) return lua_error(state);
    const std::size_t bytes = weight(*held->node);
    Vm::of(state).charge(state, bytes);
    held->charged = bytes;
    lua_settop(state, 4);
    return 1;
}

/// Every constructor; upvalue: its Kind.
int construct(lua_State* state) {
    const auto kind = static_cast<Kind>(lua_tointeger(state, lua_upvalueindex(1)));
    return make_schema(state, constructor_name(kind), [&](SchemaNode& node) {
        node.kind = kind;
        build(state, node);
    });
}

/// schema.raw()
int construct_raw(lua_State* state) {
    return make_schema(state, "raw", [&](SchemaNode& node) {
        node.is_raw = true;
        no_options(state, node, 1);
    });
}

/// A name is a type's in what `moonwire types` writes.
void check_name(std::string_view name) {
    const auto is_upper = [](char c) { return c >= 'A' && c <= 'Z'; };
    const auto is_letter = [&](char c) {
        return is_upper(c) || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_';
    };
    if (name.empty() || name.size() > 64 || !is_upper(name[0]) ||
        !std::all_of(name.begin(), name.end(), is_letter))
        refuse("a name has a capital letter, then letters, digits and _ (at most 64), got '" +
               std::string(name.substr(0, 80)) + "'");
}

void build_named(lua_State* state, SchemaNode& node) {
    if (lua_type(state, 1) != LUA_TSTRING)
        refuse(std::string("the first argument must be a name, got ") + luaL_typename(state, 1));
    check_name(lua_tostring(state, 1));
    const auto named = child_at(state, 2, "the second argument");
    if (named->kind == Kind::optional || named->kind == Kind::with_default)
        refuse(std::string("name the schema inside of schema.") + constructor_name(named->kind));
    node = *named;
    node.name = lua_tostring(state, 1);
    no_options(state, node, 3);
}

/// schema.named("Ride", S [, {description=}]). Upvalues: name -> schema, and name -> where it was
/// made, of all that the module named.
int name_schema(lua_State* state) {
    make_schema(state, "named", [&](SchemaNode& node) { build_named(state, node); });
    lua_pushvalue(state, 1);
    lua_rawget(state, lua_upvalueindex(1));
    if (lua_isnil(state, -1)) {
        lua_pushvalue(state, 1);
        lua_pushvalue(state, 4);
        lua_rawset(state, lua_upvalueindex(1));
        lua_pushvalue(state, 1);
        luaL_where(state, 1);  // "file:line: ", or nothing in a tail call
        if (const std::size_t length = lua_objlen(state, -1); length > 2) {
            lua_pushlstring(state, lua_tostring(state, -1), length - 2);
            lua_replace(state, -2);
        }
        lua_rawset(state, lua_upvalueindex(2));
    } else if (!same_schema(*to_schema(state, -1), *to_schema(state, 4))) {
        lua_pushvalue(state, 1);
        lua_rawget(state, lua_upvalueindex(2));
        return luaL_error(state, "schema.named: '%s' is another schema already, made at %s",
                          lua_tostring(state, 1), lua_tostring(state, -1));
    }
    lua_settop(state, 4);
    return 1;
}

int collect(lua_State* state) {
    auto* held = static_cast<Held*>(lua_touserdata(state, 1));
    Vm::of(state).release(held->charged);
    held->~Held();
    return 0;
}

int to_text(lua_State* state) {
    const auto schema = to_schema(state, 1);
    lua_pushfstring(state, "schema.%s", schema ? constructor_name(schema->kind) : "?");
    return 1;
}

/// schema.check(S, value) -> value, or nil and {path, message, rule, expected, got}: for handlers
/// that answer a bad payload in their own way.
int check(lua_State* state) {
    if (!is_schema(state, 1)) luaL_argerror(state, 1, "a schema expected");
    lua_settop(state, 2);
    const std::optional<SchemaError> error = check_schema(state, 1, 2);
    if (!error) return 1;
    lua_pushnil(state);
    lua_createtable(state, 0, 5);
    for (const auto& [name, text] :
         {std::pair("path", &error->path), std::pair("message", &error->message),
          std::pair("rule", &error->rule), std::pair("expected", &error->expected),
          std::pair("got", &error->got)}) {
        lua_pushlstring(state, text->data(), text->size());
        lua_setfield(state, -2, name);
    }
    return 2;
}

}  // namespace

void push_schema_module(lua_State* state) {
    lua_rawgeti(state, LUA_REGISTRYINDEX, kSchemaMetatableKey);
    const bool registered = lua_istable(state, -1);
    lua_pop(state, 1);
    if (!registered) {
        const luaL_Reg methods[] = {{"__gc", collect}, {"__tostring", to_text}, {nullptr, nullptr}};
        lua_newtable(state);
        luaL_register(state, nullptr, methods);
        lua_pushliteral(state, "schema");
        lua_setfield(state, -2, "__metatable");
        lua_rawseti(state, LUA_REGISTRYINDEX, kSchemaMetatableKey);
    }
    lua_createtable(state, 0, static_cast<int>(std::size(kConstructors)) + 3);
    lua_pushcfunction(state, check);
    lua_setfield(state, -2, "check");
    lua_pushcfunction(state, construct_raw);
    lua_setfield(state, -2, "raw");
    lua_newtable(state);
    lua_newtable(state);
    lua_pushcclosure(state, name_schema, 2);
    lua_setfield(state, -2, "named");
    for (const auto& constructor : kConstructors) {
        lua_pushinteger(state, static_cast<int>(constructor.kind));
        lua_pushcclosure(state, construct, 1);
        lua_setfield(state, -2, constructor.name);
    }
}

SchemaNode::Child to_schema(lua_State* state, int index) {
    if (lua_type(state, index) != LUA_TUSERDATA ||
        !has_metatable(state, index, kSchemaMetatableKey))
        return nullptr;
    return static_cast<const Held*>(lua_touserdata(state, index))->node;
}

bool is_schema(lua_State* state, int index) { return to_schema(state, index) != nullptr; }

bool same_schema(const SchemaNode& left, const SchemaNode& right) {
    if (&left == &right) return true;
    const auto same_child = [](const SchemaNode::Child& a, const SchemaNode::Child& b) {
        return same_schema(*a, *b);
    };
    const auto same_field = [](const SchemaNode::Field& a, const SchemaNode::Field& b) {
        return a.name == b.name && same_schema(*a.schema, *b.schema);
    };
    return left.kind == right.kind && left.size == right.size && left.min == right.min &&
           left.max == right.max && left.pattern == right.pattern && left.format == right.format &&
           left.name == right.name && left.description == right.description &&
           left.constants == right.constants && left.additional == right.additional &&
           left.default_json == right.default_json &&
           std::ranges::equal(left.fields, right.fields, same_field) &&
           std::ranges::equal(left.children, right.children, same_child);
}

}  // namespace moonwire::script
