#include <doctest/doctest.h>

#include <charconv>
#include <cmath>
#include <cstdlib>
#include <cstring>
#include <random>
#include <string>
#include <vector>

#include "core/script/json_decode.hpp"
#include "core/script/json_encode.hpp"
#include "tests/script/values_fixture.hpp"

using namespace moonwire;
using namespace moonwire::script;

namespace {

std::string nested(std::string_view open, std::string_view close, int depth) {
    std::string text;
    for (int i = 0; i < depth; ++i) text += open;
    for (int i = 0; i < depth; ++i) text += close;
    return text;
}

/// Decodes and encodes again; "error: …" when either fails.
std::string round_trip(Vm& vm, std::string_view json) {
    const int top = lua_gettop(vm.state());
    if (auto done = decode_json(vm.state(), json); !done) {
        CHECK(lua_gettop(vm.state()) == top);
        return "error: " + done.error().message;
    }
    CHECK(lua_gettop(vm.state()) == top + 1);
    Encoded out;
    const auto done = encode_json(vm.state(), -1, out, BinaryValues::refused);
    lua_settop(vm.state(), top);
    return done ? out.json : "error: " + done.error().message;
}

/// The chunk's result as JSON, or the error.
std::string encoded(Sandbox& box, std::string_view chunk) {
    REQUIRE(box.run(chunk));
    Encoded out;
    const auto done = encode_json(box.vm.state(), -1, out, BinaryValues::refused);
    lua_pop(box.vm.state(), 1);
    return done ? out.json : "error: " + done.error().message;
}

}  // namespace

TEST_CASE("what JSON says comes back as it was") {
    Vm vm(0);
    for (const char* text : {"null",
                             "true",
                             "false",
                             "0",
                             "1",
                             "-1",
                             "0.1",
                             "1.5",
                             "-2.25",
                             "1e+300",
                             "1.5e-09",
                             "\"\"",
                             "\"text\"",
                             "[]",
                             "{}",
                             "[[],{}]",
                             "[[[]],[{}]]",
                             "[null,1,null]",
                             "{\"a\":null}",
                             "[1,[2,[3,[4]]]]",
                             "{\"a\":{\"b\":{\"c\":[]}}}",
                             "[9007199254740991,-9007199254740991]",
                             "\"\xc3\xa9 \xe2\x82\xac \xf0\x9f\x98\x80\"",
                             "\"a\\\"b\\\\c\\n\\r\\t\\u0000\\u001f\"",
                             "1e+308",
                             "5e-324",
                             "1.7976931348623157e+308",
                             "123456789.125"})
        CHECK(round_trip(vm, text) == text);
}

TEST_CASE("doubles are written in their shortest form, whichever way they take") {
    Vm vm(0);
    std::mt19937_64 random(1);
    for (int i = 0; i < 20'000; ++i) {
        // Decimals of up to nine places, and neighbours of theirs that take seventeen digits.
        const int places = static_cast<int>(random() % 10);
        double value = static_cast<double>(static_cast<std::int64_t>(random() % 2'000'000'000'000) -
                                           1'000'000'000'000) /
                       std::pow(10, places);
        if (i % 3 == 0) value = std::nextafter(value, 1e300);
        char text[40];
        *std::to_chars(text, text + 40, value).ptr = '\0';
        if (std::strchr(text, 'e')) continue;  // which form is as short depends on the value
        REQUIRE(round_trip(vm, text) == text);
    }
    for (const char* text : {"0.001", "-0.001", "41.5", "-59.6142", "1767225600.125",
                             "999999999.999999", "0.1", "0.30000000000000004", "123456789.1234567"})
        CHECK(round_trip(vm, text) == text);
}

TEST_CASE("numbers are exact or refused") {
    Vm vm(0);
    CHECK(round_trip(vm, "-0") == "0");
    CHECK(round_trip(vm, "1.0") == "1");
    CHECK(round_trip(vm, "1E2") == "100");
    CHECK(round_trip(vm, "0.30000000000000004") == "0.30000000000000004");
    CHECK(round_trip(vm, "9007199254740992") == "9007199254740992");
    CHECK(round_trip(vm, "9007199254740994.0") == "9.007199254740994e+15");
    CHECK(round_trip(vm, "1e17") == "1e+17");
    CHECK(round_trip(vm, "9007199254740993") == "\"9007199254740993\"");
    CHECK(round_trip(vm, "-9007199254740993") == "\"-9007199254740993\"");
    CHECK(round_trip(vm, "9223372036854775807") == "\"9223372036854775807\"");
    CHECK(round_trip(vm, "18446744073709551616") == "\"18446744073709551616\"");
    CHECK(round_trip(vm, "123456789012345678901234567890") == "\"123456789012345678901234567890\"");
    CHECK(round_trip(vm, "1e400").starts_with("error: invalid JSON at byte 0: Number too big"));
    CHECK(round_trip(vm, "-1e400").starts_with("error: "));
    CHECK(round_trip(vm, "1e-400") == "0");
    CHECK(round_trip(vm, "[0." + std::string(400, '0') + "1]") == "[0]");
    for (const char* text : {"01", "1.", ".5", "+1", "-", "1e", "0x10", "NaN", "Infinity", "1_000"})
        CHECK_MESSAGE(round_trip(vm, text).starts_with("error: "), text);
}

TEST_CASE("regression: an exponent near -2^31 does not read out of RapidJSON's bounds") {
    Vm vm(0);
    CHECK(round_trip(vm, "1.0000000001e-2147483639") == "0");
    CHECK(round_trip(vm, "[0.00000000001e-2147483647]") == "[0]");
    CHECK(round_trip(vm, "1e-99999999999999999999") == "0");
    CHECK(round_trip(vm, "1e99999999999999999999").starts_with("error: "));
}

TEST_CASE("what is not JSON is an error that names the byte") {
    Vm vm(0);
    CHECK(round_trip(vm, "") == "error: invalid JSON at byte 0: The document is empty.");
    CHECK(round_trip(vm, "[1,") == "error: invalid JSON at byte 3: Invalid value.");
    CHECK(
        round_trip(vm, "{\"a\" 1}").starts_with("error: invalid JSON at byte 5: Missing a colon"));
    for (const char* text : {"[1 2]", "[1,]", "{\"a\":1,}", "{a:1}", "'a'", "\"a", "\"\\x\"", "tru",
                             "[", "]", "{", "}", "1 2", "[]]", "\"a\tb\"", "/**/1", "nul", "[,]"})
        CHECK_MESSAGE(round_trip(vm, text).starts_with("error: "), text);
    CHECK(round_trip(vm, std::string_view("1\0", 2)).starts_with("error: "));
    CHECK(round_trip(vm, std::string_view("1\0 garbage", 10)).starts_with("error: "));
    CHECK(round_trip(vm, std::string_view("\"a\0b\"", 5)).starts_with("error: "));
    CHECK(round_trip(vm, std::string_view("\0", 1)).starts_with("error: "));
    CHECK(round_trip(vm, " \t\r\n[ 1 , 2 ] \n") == "[1,2]");
}

TEST_CASE("text that is not UTF-8 is refused both ways") {
    Vm vm(0);
    for (const char* bytes : {"\x80", "\xc0\x80", "\xc1\xbf", "\xe0\x80\x80", "\xed\xa0\x80",
                              "\xf0\x80\x80\x80", "\xf4\x90\x80\x80", "\xf5\x80\x80\x80", "\xff",
                              "\xe2\x82", "\xf0\x9f\x98", "long enough to skip ahead \xc3"}) {
        CHECK(round_trip(vm, "\"" + std::string(bytes) + "\"").find("Invalid UTF-8") !=
              std::string::npos);
        lua_newtable(vm.state());
        lua_pushstring(vm.state(), bytes);
        lua_setfield(vm.state(), -2, "name");
        Encoded out;
        const auto value = encode_json(vm.state(), -1, out, BinaryValues::refused);
        REQUIRE_FALSE(value);
        CHECK(value.error().message == "$.name: string is not UTF-8");
        lua_newtable(vm.state());
        lua_pushboolean(vm.state(), 1);
        lua_setfield(vm.state(), -2, bytes);
        CHECK_FALSE(encode_json(vm.state(), -1, out, BinaryValues::refused));
    }
}

TEST_CASE("escapes: surrogate pairs are one character, half of one is refused") {
    Vm vm(0);
    CHECK(round_trip(vm, R"("\ud83d\ude00")") == "\"\xf0\x9f\x98\x80\"");
    CHECK(round_trip(vm, R"("\u00e9\u20ac\/")") == "\"\xc3\xa9\xe2\x82\xac/\"");
    CHECK(round_trip(vm, R"("\uD7FF\uE000")") == "\"\xed\x9f\xbf\xee\x80\x80\"");
    for (const char* text : {R"("\ud83d")", R"("\ude00")", R"("\ud83dx")", R"("\ud83d\u0041")",
                             R"({"\udc00":1})", R"("\ude00\ud83d")", R"("\u12")", R"("\uzzzz")"})
        CHECK_MESSAGE(round_trip(vm, text).starts_with("error: "), text);
}

TEST_CASE("64 levels are the deepest either way") {
    Sandbox box;
    CHECK(round_trip(box.vm, nested("[", "]", 64)) == nested("[", "]", 64));
    CHECK(round_trip(box.vm, nested("[", "]", 65)).find("Nested deeper than 64") !=
          std::string::npos);
    CHECK(round_trip(box.vm, nested("{\"a\":", "}", 65)).starts_with("error: "));
    CHECK(round_trip(box.vm, std::string(1 << 20, '[')).starts_with("error: "));
    CHECK(is_valid_json(nested("[", "]", 64)));
    CHECK_FALSE(is_valid_json(nested("[", "]", 65)));
    const std::string deep = "local t = {} for i = 1, ";
    CHECK_FALSE(encoded(box, deep + "63 do t = {t} end return t").starts_with("error"));
    CHECK(encoded(box, deep + "64 do t = {t} end return t").find("nested deeper than 64 levels") !=
          std::string::npos);
}

TEST_CASE("wide containers at every level keep their values") {
    Vm vm(0);
    std::string text = "0";
    for (int level = 0; level < 31; ++level) {
        std::string members;
        for (int i = 0; i < 40; ++i) members += "\"k" + std::to_string(i) + "\":1,";
        std::string elements;
        for (int i = 0; i < 40; ++i) elements += "2,";
        text = "[" + elements + "{" + members + "\"z\":" + text + "}]";
    }
    REQUIRE(decode_json(vm.state(), text));
    for (int level = 0; level < 31; ++level) {
        CHECK(lua_objlen(vm.state(), -1) == 41);
        lua_rawgeti(vm.state(), -1, 41);
        lua_getfield(vm.state(), -1, "k39");
        CHECK(lua_tonumber(vm.state(), -1) == 1);
        lua_pop(vm.state(), 1);
        lua_getfield(vm.state(), -1, "z");
        lua_replace(vm.state(), 1);
        lua_settop(vm.state(), 1);
    }
    CHECK(lua_tonumber(vm.state(), 1) == 0);
}

TEST_CASE("large arrays and objects come back whole") {
    Sandbox box;
    std::string array = "[", object = "{";
    for (int i = 1; i <= 5000; ++i) {
        array += (i > 1 ? "," : "") + std::to_string(i);
        object += (i > 1 ? ",\"" : "\"") + std::to_string(i) + "\":" + std::to_string(i);
    }
    array += "]";
    object += "}";
    CHECK(round_trip(box.vm, array) == array);
    REQUIRE(decode_json(box.vm.state(), object));
    lua_setfield(box.vm.state(), box.environment, "object");
    CHECK(
        box.eval("local n = 0 for k, v in pairs(object) do if k == tostring(v) then n = n + 1 end "
                 "end return n") == "5000");
}

TEST_CASE("of two members with one name the last one counts") {
    Sandbox box;
    CHECK(box.eval("return json.decode('{\"a\":1,\"b\":2,\"a\":3}').a") == "3");
    std::string many = "{";
    for (int i = 0; i < 100; ++i) many += "\"a\":" + std::to_string(i) + ",";
    CHECK(box.eval("return json.decode('" + many + "\"b\":0}').a") == "99");
}

TEST_CASE("a string of 10 MB passes") {
    Vm vm(64u << 20);
    const std::string text = "\"" + std::string(10 << 20, 'x') + "\"";
    CHECK(round_trip(vm, text) == text);
    const std::string accents = [] {
        std::string all = "\"";
        for (int i = 0; i < 1 << 20; ++i) all += "\xc3\xa9\\n";
        return all + "\"";
    }();
    CHECK(round_trip(vm, accents) == accents);
}

TEST_CASE("memory over the limit while decoding is an error and nothing stays") {
    Sandbox box(2u << 20);
    const std::string text = "[" + [] {
        std::string all;
        for (int i = 0; i < 200000; ++i) all += "{\"a\":[1]},";
        return all;
    }() + "1]";
    for (int i = 0; i < 20; ++i) {
        const auto done = decode_json(box.vm.state(), text);
        REQUIRE_FALSE(done);
        CHECK(done.error().message == "not enough memory");
        CHECK(lua_gettop(box.vm.state()) == box.environment);
        CHECK(box.eval("return json.decode('[1,2,3]')[3]") == "3");
    }
}

TEST_CASE("placeholders become attachments only when there are any") {
    Vm vm(0);
    const std::vector<SharedBytes> attachments{SharedBytes::copy("zero"), SharedBytes::copy("one")};
    REQUIRE(decode_json(vm.state(), R"({"f":{"_placeholder":true,"num":1}})", attachments));
    lua_getfield(vm.state(), -1, "f");
    const SharedBytes* bytes = to_bytes(vm.state(), -1);
    REQUIRE(bytes);
    CHECK(bytes->data() == attachments[1].data());
    REQUIRE(decode_json(vm.state(), R"([{"num":0,"_placeholder":true}])", attachments));
    lua_rawgeti(vm.state(), -1, 1);
    CHECK(to_bytes(vm.state(), -1));
    CHECK(round_trip(vm, R"({"_placeholder":true})") == R"({"_placeholder":true})");
    REQUIRE(decode_json(vm.state(), R"({"_placeholder":false,"num":0})", attachments));
    CHECK(lua_istable(vm.state(), -1));
    REQUIRE(decode_json(vm.state(), R"({"_placeholder":true,"num":0})"));
    CHECK(lua_istable(vm.state(), -1));
    for (const char* num : {"2", "-1", "0.5", "\"0\"", "null", "1e300", "[]", "9007199254740993"})
        CHECK_FALSE(decode_json(
            vm.state(), std::string(R"({"_placeholder":true,"num":)") + num + "}", attachments));
}

TEST_CASE("bytes go out as attachments in a packet and are refused in plain JSON") {
    Sandbox box;
    REQUIRE(box.run("return {bytes('a'), {x = bytes('b')}}"));
    Encoded out;
    REQUIRE(encode_json(box.vm.state(), -1, out, BinaryValues::as_attachments));
    CHECK(out.json == R"([{"_placeholder":true,"num":0},{"x":{"_placeholder":true,"num":1}}])");
    REQUIRE(out.attachments.size() == 2);
    CHECK(out.attachments[1].view() == "b");
    const auto refused = encode_json(box.vm.state(), -1, out, BinaryValues::refused);
    REQUIRE_FALSE(refused);
    CHECK(refused.error().message == "$[1]: binary value in plain JSON");
}

TEST_CASE("an argument list is taken apart onto the stack") {
    Vm vm(0);
    lua_State* state = vm.state();
    auto count = decode_json_array(state, R"(["event",1,[2],{"a":3},null])", {}, 1);
    REQUIRE(count);
    CHECK(*count == 4);
    CHECK(lua_gettop(state) == 4);
    CHECK(lua_tonumber(state, 1) == 1);
    CHECK(is_marked_array(state, 2));
    CHECK(is_null(state, 4));
    lua_settop(state, 0);
    CHECK(*decode_json_array(state, "[]", {}, 1) == 0);
    CHECK(*decode_json_array(state, "[[1,[2]],{\"a\":{}}]", {}, 2) == 0);
    CHECK(*decode_json_array(state, "[1,2]", {}, 0) == 2);
    lua_settop(state, 0);
    for (const char* text : {"{}", "1", "\"a\"", "null", "[1", "{\"a\":[1]}", "[1]]", "", "true"}) {
        CHECK_FALSE(decode_json_array(state, text, {}, 0));
        CHECK(lua_gettop(state) == 0);
    }
    const std::vector<SharedBytes> attachments{SharedBytes::copy("zero")};
    REQUIRE(decode_json_array(state, R"(["e",{"_placeholder":true,"num":0}])", attachments, 1));
    CHECK(to_bytes(state, -1));
}

TEST_CASE("an argument list has at most 200 values") {
    Vm vm(0);
    const auto list = [](int n) {
        std::string text = "[\"event\"";
        for (int i = 0; i < n; ++i) text += ",1";
        return text + "]";
    };
    CHECK(*decode_json_array(vm.state(), list(200), {}, 1) == 200);
    lua_settop(vm.state(), 0);
    CHECK_FALSE(decode_json_array(vm.state(), list(201), {}, 1));
    CHECK_FALSE(decode_json_array(vm.state(), list(100000), {}, 1));
}

TEST_CASE("an event's arguments become one array, nils in it null") {
    Sandbox box;
    lua_State* state = box.vm.state();
    const int first = lua_gettop(state) + 1;
    lua_pushnumber(state, 1);
    lua_pushnil(state);
    lua_newtable(state);
    lua_pushnil(state);
    Encoded out;
    REQUIRE(encode_json_array(state, "it's \"on\"", first, first + 3, out));
    CHECK(out.json == R"(["it's \"on\"",1,null,{},null])");
    out.clear();
    REQUIRE(encode_json_array(state, "", first, first, out));
    CHECK(out.json == "[1]");
    out.clear();
    REQUIRE(encode_json_array(state, "", first, first - 1, out));
    CHECK(out.json == "[]");
    lua_pushnumber(state, HUGE_VAL);
    lua_setfield(state, first + 2, "fare");
    const auto failed = encode_json_array(state, "e", first, first + 3, out);
    REQUIRE_FALSE(failed);
    CHECK(failed.error().message == "$3.fare: infinity");
}

TEST_CASE("tables are arrays when their keys are 1 to n, in whatever order they were set") {
    Sandbox box;
    CHECK(encoded(box, "return {}") == "{}");
    CHECK(encoded(box, "return json.array{}") == "[]");
    CHECK(encoded(box, "return {1, 2, 3}") == "[1,2,3]");
    CHECK(encoded(box, "local t = {} for i = 10, 1, -1 do t[i] = i end return t") ==
          "[1,2,3,4,5,6,7,8,9,10]");
    CHECK(encoded(box, "local t = {} t[2] = 2 t[1] = 1 t[4] = 4 t[3] = {3} return t") ==
          "[1,2,[3],4]");
    CHECK(encoded(box, "return {[\"1\"] = 1}") == "{\"1\":1}");
    CHECK(encoded(box, "return {[''] = 1}") == "{\"\":1}");
    CHECK(encoded(box, "return json.array{1, {}, json.array()}") == "[1,{},[]]");
    CHECK(encoded(box, "return {null, null}") == "[null,null]");
}

TEST_CASE("what JSON can't say is an error that names the path") {
    Sandbox box;
    CHECK(encoded(box, "return {ride = {fare = 0/0}}") == "error: $.ride.fare: NaN");
    CHECK(encoded(box, "return {{x = -1/0}}") == "error: $[1].x: infinity");
    CHECK(encoded(box, "return {a = {[1] = 1, b = 2}}") ==
          "error: $.a: keys are both names and numbers");
    CHECK(encoded(box, "return {a = {b = 1, [7] = 2}}") ==
          "error: $.a: keys are both names and numbers");
    CHECK(encoded(box, "return {a = {1, 2, nil, 4}}") ==
          "error: $.a: array with holes, or not from 1");
    CHECK(encoded(box, "return {[0] = 1}") == "error: $: array with holes, or not from 1");
    CHECK(encoded(box, "return {[1.5] = 1}") == "error: $: array with holes, or not from 1");
    CHECK(encoded(box, "return {[true] = 1}") == "error: $: a key is a boolean");
    CHECK(encoded(box, "local t = json.array{} t.name = 1 return {list = t}") ==
          "error: $.list: a marked array has names for keys");
    CHECK(encoded(box, "return {f = print or function() end}") ==
          "error: $.f: a function is not data");
    CHECK(encoded(box, "return {s = schema.any()}") == "error: $.s: a userdata is not data");
    CHECK(encoded(box, "return {['odd key'] = {1, 0/0}}") == "error: $[\"odd key\"][2]: NaN");
    CHECK(encoded(box, "local t = {} t.me = {back = t} return {a = t}") ==
          "error: $.a.me.back: cycle: leads back to $.a");
    CHECK(encoded(box, "local t = {} t[1] = t return t") == "error: $[1]: cycle: leads back to $");
    CHECK(encoded(box, "return function() end") == "error: $: a function is not data");
    Encoded out;
    lua_pushcfunction(box.vm.state(), [](lua_State*) { return 0; });
    const auto rooted =
        encode_json(box.vm.state(), -1, out, BinaryValues::refused, "reply to 'ride'");
    REQUIRE_FALSE(rooted);
    CHECK(rooted.error().message == "reply to 'ride': a function is not data");
}

TEST_CASE("tables that hold one table twice, and so on down, end at the longest text") {
    Sandbox box;
    CHECK(encoded(box, "local t = {1} for i = 1, 60 do t = {t, t} end return t")
              .ends_with(": JSON text over 64 MiB"));
    CHECK(encoded(box, "local t = {} for i = 1, 60 do t = {a = t, b = t} end return t")
              .ends_with(": JSON text over 64 MiB"));
}

TEST_CASE("json for scripts raises with a path, answers nil and why, marks arrays") {
    Sandbox box;
    CHECK(box.eval("return json.encode({1, 'a', null})") == "[1,\"a\",null]");
    CHECK(box.eval("return json.encode(nil)") == "null");
    CHECK(box.eval("local s = json.encode({a = 0/0})") == "error: test.lua:1: $.a: NaN");
    CHECK(box.eval("local v, err = json.decode('[1') return tostring(v) .. ' ' .. err")
              .starts_with("nil invalid JSON at byte 2: "));
    CHECK(box.eval("return json.decode('null') == null") == "true");
    CHECK(box.eval("return json.decode('false')") == "false");
    CHECK(box.eval("return json.encode(json.array())") == "[]");
    CHECK(box.eval("local list = {1} return json.array(list) == list") == "true");
    CHECK(box.eval("local s = json.encode()").find("bad argument #1") != std::string::npos);
    CHECK(box.eval("local s = json.array(1)").find("bad argument #1") != std::string::npos);
    CHECK(box.eval("return json.encode(json.decode('[[],{}]'))") == "[[],{}]");
}

TEST_CASE("valid JSON is told from the rest without a state") {
    for (const char* text : {"1", "[]", "{\"a\":[1,2,{}]}", "\"x\"", " null "})
        CHECK_MESSAGE(is_valid_json(text), text);
    for (const char* text : {"", "[", "{\"a\"}", "1 1", "\"\xff\"", "\"\\udc00\"", "1e400", "nul"})
        CHECK_FALSE_MESSAGE(is_valid_json(text), text);
    CHECK_FALSE(is_valid_json(std::string_view("1\0x", 3)));
}

TEST_CASE("property: random documents survive a round trip") {
    Vm vm(0);
    std::mt19937_64 random(7);
    const auto pick = [&](std::uint64_t n) { return random() % n; };
    // Object members come back in any order, so objects have at most one here.
    const auto build = [&](auto& self, int depth) -> std::string {
        switch (pick(depth > 5 ? 5 : 7)) {
            case 0: return "null";
            case 1: return pick(2) ? "true" : "false";
            case 2: return std::to_string(static_cast<std::int64_t>(random()) >> (11 + pick(50)));
            case 3: {
                double value = 0;
                const std::uint64_t bits = random();
                std::memcpy(&value, &bits, sizeof value);
                if (!std::isfinite(value)) return "0.5";
                Encoded out;
                lua_pushnumber(vm.state(), value);
                CHECK(encode_json(vm.state(), -1, out, BinaryValues::refused));
                lua_pop(vm.state(), 1);
                CHECK(std::strtod(out.json.c_str(), nullptr) == value);
                return out.json;
            }
            case 4: {
                std::string text = "\"";
                for (auto n = pick(12); n > 0; --n) {
                    static const char* const kParts[] = {
                        "a", "\\n", "\\u0001", "\xc3\xa9", "\xf0\x9f\x98\x80", "\\\"", " "};
                    text += kParts[pick(7)];
                }
                return text + "\"";
            }
            case 5: {
                std::string text = "[";
                for (auto n = pick(80) / (1 + static_cast<unsigned>(depth) * 4); n > 0; --n)
                    text += self(self, depth + 1) + (n > 1 ? "," : "");
                return text + "]";
            }
            default: return pick(4) ? "{\"key\":" + self(self, depth + 1) + "}" : std::string("{}");
        }
    };
    for (int i = 0; i < 3000; ++i) {
        const std::string text = build(build, 0);
        REQUIRE(round_trip(vm, text) == text);
        REQUIRE(is_valid_json(text));
    }
}
