#include "core/script/schema.hpp"

#include <doctest/doctest.h>

#include <string>

#include "core/script/json_decode.hpp"
#include "core/script/json_encode.hpp"
#include "core/script/schema_node.hpp"
#include "tests/script/values_fixture.hpp"

using namespace moonwire;
using namespace moonwire::script;

namespace {

/// Checks a Lua value ("json:…": a decoded one) against a schema expression: "rule path message",
/// or "ok" and what the value became, as JSON.
std::string check(Sandbox& box, const std::string& schema, const std::string& value) {
    lua_State* state = box.vm.state();
    const int top = lua_gettop(state);
    REQUIRE(box.run("return " + schema));
    if (value.starts_with("json:")) REQUIRE(decode_json(state, value.substr(5)));
    else REQUIRE(box.run("return " + value));
    const auto error = check_schema(state, top + 1, -1);
    CHECK(lua_gettop(state) == top + 2);
    std::string text;
    if (error) {
        text = error->rule + " " + error->path + " " + error->message;
    } else {
        Encoded out;
        REQUIRE(encode_json(state, -1, out, BinaryValues::as_attachments));
        text = "ok " + out.json;
    }
    lua_settop(state, top);
    return text;
}

}  // namespace

TEST_CASE("each type accepts its own and names what it got instead") {
    Sandbox box;
    CHECK(check(box, "schema.string()", "'a'") == "ok \"a\"");
    CHECK(check(box, "schema.string()", "5") == "type $ must be a string (type), got number 5");
    CHECK(check(box, "schema.number()", "1.5") == "ok 1.5");
    CHECK(check(box, "schema.number()", "'1'") == "type $ must be a number (type), got string '1'");
    CHECK(check(box, "schema.number()", "0/0").starts_with("type $ must be a number"));
    CHECK(check(box, "schema.number()", "1/0").starts_with("type $ must be a number"));
    CHECK(check(box, "schema.boolean()", "false") == "ok false");
    CHECK(check(box, "schema.boolean()", "0") == "type $ must be a boolean (type), got number 0");
    CHECK(check(box, "schema.binary()", "bytes('a')").starts_with("ok "));
    CHECK(check(box, "schema.binary()", "'a'") == "type $ must be binary (type), got string 'a'");
    CHECK(check(box, "schema.object{}", "json:{}") == "ok {}");
    CHECK(check(box, "schema.object{}", "json:[]") ==
          "type $ must be an object (type), got an array of 0 elements");
    CHECK(check(box, "schema.object{}", "{1}") ==
          "type $ must be an object (type), got an array of 1 element");
    CHECK(check(box, "schema.array(schema.any())", "json:[]") == "ok []");
    CHECK(check(box, "schema.array(schema.any())", "json:{}") ==
          "type $ must be an array (type), got an object");
    CHECK(check(box, "schema.array(schema.any())", "{1, 2}") == "ok [1,2]");
    CHECK(check(box, "schema.string()", "null") == "type $ must be a string (type), got null");
    CHECK(check(box, "schema.string()", "true") ==
          "type $ must be a string (type), got boolean true");
    CHECK(check(box, "schema.object{}", "('x'):rep(50)") ==
          "type $ must be an object (type), got string '" + std::string(40, 'x') + "…'");
    CHECK(check(box, "schema.object{}", "bytes('a')") ==
          "type $ must be an object (type), got binary of 1 byte");
}

TEST_CASE("any takes everything but nothing") {
    Sandbox box;
    for (const char* value : {"1", "'a'", "null", "{}", "false", "bytes('')"})
        CHECK(check(box, "schema.any()", value).starts_with("ok "));
    CHECK(check(box, "schema.any()", "nil") == "required $ is required: any value");
}

TEST_CASE("numbers hold to min and max") {
    Sandbox box;
    const std::string latitude = "schema.number { min = -90, max = 90 }";
    CHECK(check(box, latitude, "90") == "ok 90");
    CHECK(check(box, latitude, "91") == "max $ must be at most 90 (max), got number 91");
    CHECK(check(box, latitude, "-90.5") == "min $ must be at least -90 (min), got number -90.5");
}

TEST_CASE("integers are whole, and may be exact text beyond 2^53") {
    Sandbox box;
    CHECK(check(box, "schema.integer()", "3") == "ok 3");
    CHECK(check(box, "schema.integer()", "3.5") ==
          "type $ must be an integer (type), got number 3.5");
    CHECK(check(box, "schema.integer()", "1e300").starts_with("ok "));
    CHECK(check(box, "schema.integer()", "json:9007199254740993") == "ok \"9007199254740993\"");
    CHECK(check(box, "schema.integer()", "json:-123456789012345678901234567890").starts_with("ok"));
    for (const char* text : {"'3'", "''", "'-'", "'9007199254740992'", "'09007199254740993'",
                             "'9007199254740993.0'", "' 9007199254740993'", "'1e300'"})
        CHECK_MESSAGE(check(box, "schema.integer()", text).starts_with("type "), text);
    CHECK(check(box, "schema.integer{max=10}", "json:9007199254740993") ==
          "max $ must be at most 10 (max), got integer 9007199254740993");
    CHECK(check(box, "schema.integer{max=10}", "json:-9007199254740993").starts_with("ok"));
    CHECK(check(box, "schema.integer{min=0}", "-1") ==
          "min $ must be at least 0 (min), got number -1");
}

TEST_CASE("strings count characters, not bytes") {
    Sandbox box;
    CHECK(check(box, "schema.string{min=2,max=3}", "'\xc3\xa9\xc3\xa9\xc3\xa9'").starts_with("ok"));
    CHECK(check(box, "schema.string{min=2}", "'a'") ==
          "min $ must have at least 2 characters (min), got string 'a' of 1 character");
    CHECK(check(box, "schema.string{min=1}", "''") ==
          "min $ must have at least 1 character (min), got string '' of 0 characters");
    CHECK(check(box, "schema.string{max=3}", "'abcd'") ==
          "max $ must have at most 3 characters (max), got string 'abcd' of 4 characters");
    CHECK(check(box, "schema.binary{max=3}", "bytes('abcd')") ==
          "max $ must have at most 3 bytes (max), got binary of 4 bytes");
}

TEST_CASE("patterns are Lua's, and bounded") {
    Sandbox box;
    CHECK(check(box, "schema.string{pattern='^%u%d+$'}", "'A12'") == "ok \"A12\"");
    CHECK(check(box, "schema.string{pattern='^%u%d+$'}", "'xA12'") ==
          "pattern $ must match '^%u%d+$' (pattern), got string 'xA12'");
    CHECK(check(box, "schema.string{pattern='%d'}", "'abc1'").starts_with("ok"));
    CHECK(check(box, "schema.string{pattern='.-.-.-.-.-b'}", "('a'):rep(5000)") ==
          "pattern $ pattern takes too long to match (pattern), got string "
          "'aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa…'");
    CHECK(check(box, "schema.string{pattern='a'}", "('a'):rep(100000)") ==
          "pattern $ must have at most 65536 bytes to be matched (pattern), got string "
          "'aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa…'");
}

TEST_CASE("formats: date-time, uuid, email, uri") {
    Sandbox box;
    const auto valid = [&](const std::string& format, const std::string& text) {
        return check(box, "schema.string{format='" + format + "'}", "[==[" + text + "]==]")
            .starts_with("ok ");
    };
    for (const char* text :
         {"2024-02-29T12:00:00Z", "2024-01-01T00:00:00.123456+02:00", "2024-12-31t23:59:60z",
          "2024-01-01 10:00:00-0530", "2000-02-29T00:00:00+00", "1999-06-15T10:20:30.5Z"})
        CHECK_MESSAGE(valid("date-time", text), text);
    for (const char* text :
         {"2023-02-29T12:00:00Z", "1900-02-29T12:00:00Z", "2024-13-01T00:00:00Z",
          "2024-01-32T00:00:00Z", "2024-01-01T24:00:00Z", "2024-01-01T00:60:00Z",
          "2024-01-01T00:00:00", "2024-01-01", "", "2024-01-01T00:00:00.Z", "2024-01-01T00:00:00Zx",
          "2024-1-1T00:00:00Z", "2024-01-01T00:00:00+24", "2024-01-01T00:00:00+02:", "yesterday",
          "2024-01-00T00:00:00Z"})
        CHECK_FALSE_MESSAGE(valid("date-time", text), text);
    CHECK(valid("uuid", "123e4567-e89b-12d3-a456-426614174000"));
    CHECK(valid("uuid", "123E4567-E89B-12D3-A456-426614174000"));
    CHECK_FALSE(valid("uuid", "123e4567e89b12d3a456426614174000"));
    CHECK_FALSE(valid("uuid", "123e4567-e89b-12d3-a456-42661417400g"));
    for (const char* text : {"a@b.co", "first.last+tag@sub.example.com", "o'neil@localhost"})
        CHECK_MESSAGE(valid("email", text), text);
    for (const char* text : {"", "a", "@b.co", "a@", "a@b..co", "a b@c.de", "a@-b.co", "a@b.co.",
                             "a@b@c.de", "a@b c.de"})
        CHECK_FALSE_MESSAGE(valid("email", text), text);
    for (const char* text : {"https://example.com/a?b=c#d", "urn:isbn:0451450523", "mailto:a@b.co",
                             "http://[::1]:80/"})
        CHECK_MESSAGE(valid("uri", text), text);
    for (const char* text :
         {"", "example.com", "/path", "http://", "1http://a", ":a", "http://a b", "http:"})
        CHECK_FALSE_MESSAGE(valid("uri", text), text);
    CHECK(check(box, "schema.string{format='uuid'}", "'x'") ==
          "format $ must be a valid uuid (format), got string 'x'");
}

TEST_CASE("enum takes one of its constants, by type and value") {
    Sandbox box;
    const std::string states = "schema.enum{'open', 'closed', 3, true}";
    CHECK(check(box, states, "'open'").starts_with("ok"));
    CHECK(check(box, states, "3").starts_with("ok"));
    CHECK(check(box, states, "true").starts_with("ok"));
    CHECK(check(box, states, "'3'") ==
          "enum $ must be one of 'open', 'closed', 3, true (enum), got string '3'");
    CHECK(check(box, states, "false").starts_with("enum "));
    CHECK(check(box, states, "null").starts_with("enum "));
}

TEST_CASE("objects need their fields, and say the path of the one that fails") {
    Sandbox box;
    const std::string at =
        "schema.object{ data = schema.object{ lat = schema.number{max=90}, id = schema.string() } "
        "}";
    CHECK(check(box, at, "json:{\"data\":{\"lat\":1,\"id\":\"x\"}}").starts_with("ok"));
    CHECK(check(box, at, "json:{\"data\":{\"lat\":91,\"id\":\"x\"}}") ==
          "max $.data.lat must be at most 90 (max), got number 91");
    CHECK(check(box, at, "json:{\"data\":{\"lat\":1}}") ==
          "required $.data.id is required: a string");
    CHECK(check(box, at, "json:{}") == "required $.data is required: an object");
    CHECK(check(box, at, "json:{\"data\":{\"lat\":1,\"id\":null}}") ==
          "type $.data.id must be a string (type), got null");
}

TEST_CASE("additional fields pass unless they are ruled out") {
    Sandbox box;
    CHECK(
        check(box, "schema.object{a=schema.any()}", "json:{\"a\":1,\"b\":[2]}").starts_with("ok"));
    const std::string closed = "schema.object({a=schema.any()}, {additional=false})";
    CHECK(check(box, closed, "json:{\"a\":1,\"b\":2}") ==
          "additional $.b is not a field here (additional), got number 2; the fields are 'a'");
    CHECK(check(box, closed, "json:{\"a\":1}").starts_with("ok"));
    CHECK(check(box, "schema.object({a=schema.any()}, {additional=true})", "json:{\"a\":1,\"b\":2}")
              .starts_with("ok"));
}

TEST_CASE("arrays hold every element, counted from 0 as JSON's readers do") {
    Sandbox box;
    const std::string list = "schema.array(schema.object{n=schema.integer()}, {min=1,max=2})";
    CHECK(check(box, list, "json:[{\"n\":1}]").starts_with("ok"));
    CHECK(check(box, list, "json:[]") ==
          "min $ must have at least 1 element (min), got an array of 0 elements");
    CHECK(check(box, list, "json:[{\"n\":1},{\"n\":2},{\"n\":3}]") ==
          "max $ must have at most 2 elements (max), got an array of 3 elements");
    CHECK(check(box, list, "json:[{\"n\":1},{\"n\":\"x\"}]") ==
          "type $[1].n must be an integer (type), got string 'x'");
    CHECK(check(box, "schema.array(schema.any())", "json:[null,null]") == "ok [null,null]");
}

TEST_CASE("maps hold every value") {
    Sandbox box;
    CHECK(check(box, "schema.map(schema.number())", "json:{\"a\":1}").starts_with("ok"));
    CHECK(check(box, "schema.map(schema.number())", "json:{}").starts_with("ok"));
    CHECK(check(box, "schema.map(schema.number())", "json:{\"a\":\"x\"}") ==
          "type $.a must be a number (type), got string 'x'");
    CHECK(check(box, "schema.map(schema.number())", "json:[1]").starts_with("type $"));
    CHECK(check(box, "schema.map(schema.object{n=schema.default(schema.number(), 1)})",
                "json:{\"a\":{}}") == "ok {\"a\":{\"n\":1}}");
}

TEST_CASE("optional may be absent, nullable may be null, neither implies the other") {
    Sandbox box;
    CHECK(check(box, "schema.optional(schema.number())", "nil").starts_with("ok"));
    CHECK(check(box, "schema.optional(schema.number())", "null") ==
          "type $ must be a number or nothing (type), got null");
    CHECK(check(box, "schema.optional(schema.number())", "'x'").starts_with("type"));
    CHECK(check(box, "schema.nullable(schema.number())", "null").starts_with("ok"));
    CHECK(check(box, "schema.nullable(schema.number())", "nil") ==
          "required $ is required: a number or null");
    const std::string both = "schema.optional(schema.nullable(schema.number()))";
    CHECK(check(box, both, "nil").starts_with("ok"));
    CHECK(check(box, both, "null").starts_with("ok"));
    CHECK(check(box, both, "1").starts_with("ok"));
    CHECK(check(box, "schema.nullable(schema.optional(schema.number()))", "nil").starts_with("ok"));
    CHECK(check(box, "schema.object{a=schema.optional(schema.number())}", "json:{}") == "ok {}");
}

TEST_CASE("defaults are filled in where something is missing, freshly each time") {
    Sandbox box;
    CHECK(check(box, "schema.default(schema.number(), 5)", "nil") == "ok 5");
    CHECK(check(box, "schema.default(schema.number(), 5)", "6") == "ok 6");
    CHECK(check(box, "schema.default(schema.number(), 5)", "null").starts_with("type"));
    CHECK(check(box, "schema.object{a=schema.default(schema.string(), 'x')}", "json:{}") ==
          "ok {\"a\":\"x\"}");
    CHECK(
        check(box,
              "schema.object{a=schema.default(schema.object{b=schema.default(schema.number(), 1)}, "
              "{})}",
              "json:{}") == "ok {\"a\":{\"b\":1}}");
    CHECK(check(box, "schema.array(schema.object{n=schema.default(schema.number(), 1)})",
                "json:[{},{\"n\":2}]") == "ok [{\"n\":1},{\"n\":2}]");
    CHECK(check(box, "schema.default(schema.array(schema.any()), json.array())", "nil") == "ok []");
    lua_State* state = box.vm.state();
    REQUIRE(box.run("return schema.default(schema.object{}, {})"));
    const int at = lua_gettop(state);
    lua_pushnil(state);
    lua_pushnil(state);
    CHECK_FALSE(check_schema(state, at, at + 1));
    CHECK_FALSE(check_schema(state, at, at + 2));
    CHECK(lua_istable(state, at + 1));
    CHECK_FALSE(lua_rawequal(state, at + 1, at + 2));
}

TEST_CASE("one_of takes the first that holds and leaves no trace of those that don't") {
    Sandbox box;
    const std::string either =
        "schema.one_of{ schema.object{a=schema.default(schema.number(), 1), b=schema.string()},"
        " schema.object{c=schema.default(schema.number(), 2)} }";
    CHECK(check(box, either, "json:{}") == "ok {\"c\":2}");
    CHECK(check(box, "schema.one_of{schema.string(), schema.number()}", "1") == "ok 1");
    CHECK(check(box, "schema.one_of{schema.string(), schema.number()}", "nil") ==
          "required $ is required: a string or a number");
    CHECK(check(box, "schema.one_of{schema.optional(schema.string()), schema.number()}", "nil")
              .starts_with("ok"));
    CHECK(check(box, "schema.one_of{schema.string(), schema.object{a=schema.number()}}",
                "json:{\"a\":\"x\"}") ==
          "one_of $ must be a string or an object (one_of), got an object; alternative 2: $.a must "
          "be a number (type), got string 'x'");
    CHECK(check(box, "schema.object{v=schema.one_of{schema.string(), schema.number()}}",
                "json:{\"v\":true}")
          == "one_of $.v must be a string or a number (one_of), got boolean true");
}

TEST_CASE("alternatives within alternatives can't run without end") {
    Sandbox box;
    CHECK(
        check(box,
              "(function() local s = schema.number() for i = 1, 15 do s = schema.one_of{s, s} end "
              "return schema.array(schema.one_of{s, schema.string()}) end)()",
              "(function() local t = {} for i = 1, 200 do t[i] = 'x' end return t end)()") ==
        "too_complex $[76] takes too long to check");
}

TEST_CASE("a wrong constructor is an error at load that says where and why") {
    Sandbox box;
    const auto error = [&](const std::string& constructor) {
        const std::string text = box.eval("\nlocal s = " + constructor);
        const std::string place = "error: test.lua:2: schema.";
        REQUIRE_MESSAGE(text.starts_with(place), text);
        return text.substr(place.size());
    };
    CHECK(error("schema.string{mx=3}") == "string: unknown option 'mx'");
    CHECK(error("schema.string{3}") == "string: unknown option 1");
    CHECK(error("schema.string(3)") == "string: options must be a table, got number");
    CHECK(error("schema.string{max='3'}") == "string: option 'max' must be a number, got string");
    CHECK(error("schema.string{min=3,max=2}") == "string: 'min' is over 'max'");
    CHECK(error("schema.string{min=-1}").starts_with("string: 'min' and 'max' count"));
    CHECK(error("schema.string{pattern='['}") ==
          "string: option 'pattern': malformed pattern (missing ']')");
    CHECK(error("schema.string{format='phone'}") ==
          "string: option 'format' must be date-time, uuid, email or uri, got 'phone'");
    CHECK(error("schema.string{pattern=1}") ==
          "string: option 'pattern' must be a string, got number");
    CHECK(error("schema.number{min=0/0}").starts_with("number: option 'min' must be a number"));
    CHECK(error("schema.boolean{x=1}") == "boolean: unknown option 'x'");
    CHECK(error("schema.object()") == "object: a table of fields expected, got nil");
    CHECK(error("schema.object{a='string'}") == "object: field 'a' must be a schema, got string");
    CHECK(error("schema.object{schema.any()}") == "object: a field's name must be a string, got 1");
    CHECK(error("schema.object({}, {additional=1})") ==
          "object: option 'additional' must be true or false");
    CHECK(error("schema.object({}, {extra=1})") == "object: unknown option 'extra'");
    CHECK(error("schema.array()") == "array: the first argument must be a schema, got nil");
    CHECK(error("schema.array(schema.any(), {len=1})") == "array: unknown option 'len'");
    CHECK(error("schema.map{}") == "map: the first argument must be a schema, got table");
    CHECK(error("schema.enum{}") == "enum: a list of values expected");
    CHECK(error("schema.enum{{}}") ==
          "enum: value 1 must be a string, number or boolean, got table");
    CHECK(error("schema.one_of{schema.any(), 1}") ==
          "one_of: alternative 2 must be a schema, got number");
    CHECK(error("schema.default(schema.number())") == "default: the default value is missing");
    CHECK(error("schema.default(schema.number(), 'x')") ==
          "default: the default does not hold: $ must be a number (type), got string 'x'");
    CHECK(error("schema.default(schema.any(), bytes('x'))") ==
          "default: default: binary value in plain JSON");
    CHECK(error("(function() local s = schema.any() for i = 1, 70 do s = schema.optional(s) end "
                "end)()")
              .find("nested deeper than 64 levels") != std::string::npos);
    CHECK(error("(function() local s = schema.any() for i = 1, 20 do s = schema.one_of{s, s} end "
                "end)()")
              .find("more than 100000 schemas in one") != std::string::npos);
    CHECK(error("schema.string{description=1}") ==
          "string: option 'description' must be a string, got number");
    CHECK(error("schema.object{additional=1}") ==
          "object: field 'additional' must be a schema, got number");
    CHECK(error("schema.named('ride', schema.any())") ==
          "named: a name has a capital letter, then letters, digits and _ (at most 64), got "
          "'ride'");
    CHECK(error("schema.named(schema.any(), 'Ride')") ==
          "named: the first argument must be a name, got userdata");
    CHECK(error("schema.named('Ride')") == "named: the second argument must be a schema, got nil");
    CHECK(error("schema.named('Ride', schema.optional(schema.any()))") ==
          "named: name the schema inside of schema.optional");
}

TEST_CASE("a schema is a value that only the module makes") {
    Sandbox box;
    CHECK(box.eval("return schema.string()") == "schema.string");
    CHECK(box.eval("return getmetatable(schema.any())") == "schema");
    lua_State* state = box.vm.state();
    REQUIRE(box.run("return schema.object{b=schema.any(), a=schema.array(schema.string())}"));
    CHECK(is_schema(state, -1));
    const auto tree = to_schema(state, -1);
    REQUIRE(tree);
    REQUIRE(tree->fields.size() == 2);
    CHECK(tree->fields[0].name == "a");
    CHECK(tree->fields[0].schema->children[0]->kind == SchemaNode::Kind::string);
    REQUIRE(box.run("return {}"));
    CHECK_FALSE(is_schema(state, -1));
    push_bytes(state, SharedBytes::copy("x"));
    CHECK_FALSE(is_schema(state, -1));
    CHECK(check_schema(state, -1, -1)->rule == "schema");
}

TEST_CASE("schemas count against the memory limit") {
    Sandbox box(8u << 20);
    CHECK(box.eval("local kept = {} for i = 1, 1e7 do kept[i] = schema.enum{('x'):rep(1000)} end")
              .find("not enough memory") != std::string::npos);
    CHECK(box.eval("for i = 1, 1e5 do local s = schema.string{pattern='abc'} end return 'fine'") ==
          "fine");
}

TEST_CASE("what is expected is told whole, with its name, its wrapper and its bounds") {
    Sandbox box;
    const std::string ride =
        "schema.object { at = schema.nullable(schema.named('Point', schema.object { "
        "lat = schema.number { min = -90, max = 90 } })), "
        "kind = schema.optional(schema.enum { 'a', 'b' }), "
        "tags = schema.default(schema.array(schema.string { max = 3 }, { max = 2 }), "
        "json.array()) }";
    CHECK(check(box, ride, "{ at = 5 }") ==
          "type $.at must be an object (Point) or null (type), got number 5");
    CHECK(check(box, ride, "{}") == "required $.at is required: an object (Point) or null");
    CHECK(check(box, ride, "{ at = {} }") ==
          "required $.at.lat is required: a number from -90 to 90");
    CHECK(check(box, ride, "{ at = null, kind = 'c' }") ==
          "enum $.kind must be one of 'a', 'b' (enum), got string 'c'");
    CHECK(check(box, ride, "{ at = null, tags = 'c' }") ==
          "type $.tags must be an array of at most 2 elements or nothing (type), got string 'c'");
    CHECK(check(box, ride, "{ at = null, tags = { 'abcd' } }") ==
          "max $.tags[0] must have at most 3 characters (max), got string 'abcd' of 4 characters");
    CHECK(check(box, "schema.string{min=2, max=2, format='uri'}", "nil") ==
          "required $ is required: a valid uri of 2 characters");
    CHECK(check(box, "schema.string{min=1, pattern='^%a'}", "nil") ==
          "required $ is required: a string of at least 1 character matching '^%a'");
}

TEST_CASE("a misspelt field is told beside the one that it is meant to be") {
    Sandbox box;
    const std::string point = "schema.object { latitude = schema.number(), "
                              "longitude = schema.number(), additional = false }";
    CHECK(check(box, point, "{ lattitude = 1, longitude = 2 }") ==
          "required $.latitude is required: a number; is 'lattitude' meant to be it?");
    CHECK(check(box, point, "{ latitude = 1, longitude = 2, logitude = 3 }") ==
          "additional $.logitude is not a field here (additional), got number 3; did you mean "
          "'longitude'?");
    CHECK(check(box, point, "{ latitude = 1, longitude = 2, speed = 3 }") ==
          "additional $.speed is not a field here (additional), got number 3; the fields are "
          "'latitude', 'longitude'");
    CHECK(check(box, point, "{ speed = 1 }") == "required $.latitude is required: a number");
}

TEST_CASE("alternatives that could have been meant tell why not") {
    Sandbox box;
    const std::string shape =
        "schema.one_of { schema.string(), schema.named('Circle', schema.object { r = "
        "schema.number() }), schema.named('Square', schema.object { side = schema.number() }) }";
    CHECK(check(box, shape, "{ r = 'x' }") ==
          "one_of $ must be a string or an object (Circle) or an object (Square) (one_of), got an "
          "object; alternative 2: $.r must be a number (type), got string 'x'; alternative 3: "
          "$.side is required: a number");
    CHECK(check(box, "schema.one_of{schema.string{max=2}, schema.enum{1, 2}}", "'abc'") ==
          "one_of $ must be a string of at most 2 characters or one of 1, 2 (one_of), got string "
          "'abc'");
}

TEST_CASE("schema.check tells the parts of what is wrong") {
    Sandbox box;
    CHECK(box.eval("local _, p = schema.check(schema.object { n = schema.integer { max = 3 } }, "
                   "{ n = 4 }) return table.concat({ p.path, p.rule, p.expected, p.got, p.message "
                   "}, ' | ')") ==
          "$.n | max | an integer of at most 3 | number 4 | must be at most 3 (max), got number 4");
}

TEST_CASE("a name belongs to one schema") {
    Sandbox box;
    CHECK(box.eval("local s = schema.named('Ride', schema.object { a = schema.any() }, { description = "
                   "'d' }) return s") == "schema.object");
    CHECK(box.eval("local s = schema.named('Ride', schema.object { a = schema.any() }, { description = "
                   "'d' }) return s") == "schema.object");
    CHECK(box.eval("\nlocal s = schema.named('Ride', schema.object { a = schema.string() })") ==
          "error: test.lua:2: schema.named: 'Ride' is another schema already, made at "
          "test.lua:1");
    lua_State* state = box.vm.state();
    REQUIRE(box.run("return schema.named('Other', schema.object { a = schema.any(), description = "
                    "'of old' })"));
    CHECK(to_schema(state, -1)->name == "Other");
    CHECK(to_schema(state, -1)->description == "of old");
}
