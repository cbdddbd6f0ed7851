#include "core/script/values.hpp"

#include <doctest/doctest.h>

#include "tests/script/values_fixture.hpp"

using namespace moonwire;
using namespace moonwire::script;

TEST_CASE("null is a value of its own, equal to itself and not nil") {
    Sandbox box;
    CHECK(box.eval("return null") == "null");
    CHECK(box.eval("return null == null") == "true");
    CHECK(box.eval("return null == nil") == "false");
    CHECK(box.eval("return null and 'true in a condition' or 'false'") == "true in a condition");
    CHECK(box.eval("return null.fare") ==
          "error: test.lua:1: attempt to index null (field 'fare')");
    CHECK(box.eval("return getmetatable(null)") == "sentinel");
    push_null(box.vm.state());
    CHECK(is_null(box.vm.state(), -1));
    lua_pushlightuserdata(box.vm.state(), &box);
    CHECK_FALSE(is_null(box.vm.state(), -1));
    lua_setfield(box.vm.state(), box.environment, "other");
    CHECK(box.eval("return other") == "a sentinel");
    lua_pushnil(box.vm.state());
    CHECK_FALSE(is_null(box.vm.state(), -1));
}

TEST_CASE("an array's mark survives and can't be changed by a script") {
    Sandbox box;
    REQUIRE(box.run("return json.array{}"));
    CHECK(is_marked_array(box.vm.state(), -1));
    REQUIRE(box.run("return {}"));
    CHECK_FALSE(is_marked_array(box.vm.state(), -1));
    CHECK(box.eval("return getmetatable(json.array())") == "array");
    CHECK(box.eval("return pcall(setmetatable, json.array(), {})") == "false");
}

TEST_CASE("bytes have data, a length, a text and are compared by content") {
    Sandbox box;
    CHECK(box.eval("return bytes('a\\0b').data == 'a\\0b'") == "true");
    CHECK(box.eval("return #bytes('a\\0b')") == "3");
    CHECK(box.eval("return bytes('abc')") == "bytes(3)");
    CHECK(box.eval("return bytes('abc') == bytes('abc')") == "true");
    CHECK(box.eval("return bytes('abc') == bytes('abd')") == "false");
    CHECK(box.eval("return bytes('abc').other") == "nil");
    CHECK(box.eval("return bytes(bytes('abc')).data") == "abc");
    CHECK(box.eval("return is_bytes(bytes(''))") == "true");
    CHECK(box.eval("return is_bytes('')") == "false");
    CHECK(box.eval("return is_bytes(null)") == "false");
    CHECK(box.eval("return #bytes('')") == "0");
    CHECK(box.eval("bytes('x').data = 'y'").starts_with("error: test.lua:1: attempt to index"));
    CHECK(
        box.eval("local b = bytes()").starts_with("error: test.lua:1: bad argument #1 to 'bytes'"));
}

TEST_CASE("bytes are shared with C++, not copied") {
    Sandbox box;
    const SharedBytes bytes = SharedBytes::copy("shared");
    push_bytes(box.vm.state(), bytes);
    const SharedBytes* held = to_bytes(box.vm.state(), -1);
    REQUIRE(held);
    CHECK(held->data() == bytes.data());
    lua_pushliteral(box.vm.state(), "shared");
    CHECK(to_bytes(box.vm.state(), -1) == nullptr);
}

TEST_CASE("bytes count against the memory limit until they are garbage") {
    Sandbox box(8u << 20);
    CHECK(box.eval("local kept = {} local text = ('x'):rep(1024 * 1024) "
                   "for i = 1, 100 do kept[i] = bytes(text) end")
              .find("not enough memory") != std::string::npos);
    CHECK(box.eval("local text = ('x'):rep(1024 * 1024) "
                   "for i = 1, 1000 do local b = bytes(text) end return 'fine'") == "fine");
    lua_gc(box.vm.state(), LUA_GCCOLLECT, 0);
    CHECK(box.vm.memory_bytes() < (1u << 20));
}
