#include "core/script/vm.hpp"

#include <doctest/doctest.h>

#include <atomic>
#include <chrono>
#include <string>
#include <thread>

#include "tests/script/values_fixture.hpp"

using namespace moonwire;
using namespace moonwire::script;

namespace {

/// Kills whatever runs from outside, as a watchdog does: arms a hook again and again until `done`.
class HookingThread {
public:
    explicit HookingThread(lua_State* state)
        : thread_([this, state] {
              std::this_thread::sleep_for(std::chrono::milliseconds(50));
              while (!done_) {
                  lua_sethook(
                      state, [](lua_State* inner, lua_Debug*) { luaL_error(inner, "killed"); },
                      LUA_MASKCOUNT, 1);
                  std::this_thread::sleep_for(std::chrono::milliseconds(5));
              }
          }),
          state_(state) {}
    ~HookingThread() {
        done_ = true;
        thread_.join();
        lua_sethook(state_, nullptr, 0, 0);
    }

private:
    std::atomic<bool> done_{false};
    std::thread thread_;
    lua_State* state_;
};

struct Witness {
    bool& destroyed;
    ~Witness() { destroyed = true; }
};

}  // namespace

TEST_CASE("an environment has the safe functions and nothing that reaches outside") {
    Sandbox box;
    for (const char* name :
         {"assert",  "error",   "getmetatable",  "ipairs",       "next",       "pairs",
          "pcall",   "xpcall",  "select",        "setmetatable", "tonumber",   "tostring",
          "type",    "unpack",  "string.format", "table.insert", "math.floor", "bit.band",
          "os.time", "os.date", "os.clock",      "_G",           "string.rep", "table.sort"})
        CHECK_MESSAGE(box.eval("return " + std::string(name) + " ~= nil") == "true", name);
    for (const char* name :
         {"dofile",    "loadfile",    "load",       "loadstring", "getfenv",        "setfenv",
          "newproxy",  "gcinfo",      "print",      "rawset",     "collectgarbage", "ffi",
          "jit",       "debug",       "io",         "package",    "require",        "module",
          "coroutine", "string.dump", "os.execute", "os.getenv",  "os.remove",      "os.exit"})
        CHECK_MESSAGE(box.eval("return " + std::string(name)) == "nil", name);
}

TEST_CASE("what one environment does to its globals and libraries stays in it") {
    Vm vm(0);
    REQUIRE(vm.push_environment());
    REQUIRE(vm.push_environment());
    REQUIRE(vm.load("x = 1 string.upper = nil table.insert = 'gone' _G.os = nil", "a.lua", 1));
    REQUIRE(vm.call(0, 0));
    REQUIRE(
        vm.load("return x == nil and string.upper('a') == 'A' and ('a'):upper() == 'A'"
                " and type(table.insert) == 'function' and os.time() > 0",
                "b.lua", 2));
    REQUIRE(vm.call(0, 1));
    CHECK(lua_toboolean(vm.state(), -1));
}

TEST_CASE("the string metatable can't be reached") {
    Sandbox box;
    CHECK(box.eval("return getmetatable('')") == "string");
    CHECK(box.eval("return pcall(setmetatable, '', {})") == "false");
    CHECK(box.eval("return (''):upper() == ''") == "true");
    CHECK(box.eval("return (''):dump()").find("attempt to call method 'dump'") !=
          std::string::npos);
}

TEST_CASE("a syntax error names file and line") {
    Sandbox box;
    CHECK(box.eval("\n\nlocal = 1").starts_with("error: test.lua:3: "));
}

TEST_CASE("bytecode is refused") {
    lua_State* other = luaL_newstate();
    std::string bytecode;
    REQUIRE(luaL_loadstring(other, "return 1") == 0);
    lua_dump(
        other,
        [](lua_State*, const void* data, std::size_t size, void* to) {
            static_cast<std::string*>(to)->append(static_cast<const char*>(data), size);
            return 0;
        },
        &bytecode);
    lua_close(other);
    Sandbox box;
    CHECK(box.eval(bytecode).find("attempt to load chunk with wrong mode") != std::string::npos);
}

TEST_CASE("a call's error has its place and a traceback") {
    Sandbox box;
    auto done = box.run(
        "local function inner() error('deep') end\nlocal function outer() inner() "
        "end\nouter()");
    REQUIRE_FALSE(done);
    CHECK(done.error().message.starts_with("test.lua:1: deep\nstack traceback:"));
    CHECK(done.error().message.find("test.lua:2: in function 'outer'") != std::string::npos);
    CHECK(box.eval("error({})") == "error: (the error is a table)");
    CHECK(box.eval("error(setmetatable({}, {__tostring = function() return 'own' end}))") ==
          "error: own");
    CHECK(lua_gettop(box.vm.state()) == box.environment);
}

TEST_CASE("memory over the limit is an error that leaves the state usable") {
    Sandbox box(4u << 20);
    for (int i = 0; i < 50; ++i) {
        CHECK(box.eval("local t = {} for i = 1, 1e8 do t[i] = {i} end") ==
              "error: not enough memory");
        CHECK(box.eval("return ('x'):rep(1e9)") == "error: not enough memory");
        CHECK(box.eval("return 1 + 1") == "2");
    }
    CHECK(box.eval("local ok, err = pcall(string.rep, 'x', 1e9) return err") ==
          "not enough memory");
    CHECK(box.vm.memory_bytes() < (5u << 20));
}

TEST_CASE("most of the limit can be live") {
    Sandbox box(16u << 20);
    CHECK(box.eval("local live = {} for i = 1, 12 do live[i] = ('x'):rep(1024 * 1024 + i) end "
                   "for i = 1, 2000 do local garbage = {('y'):rep(10000 + i)} end return #live") ==
          "12");
}

TEST_CASE("C++ objects are destroyed when Lua raises through them") {
    Vm vm(0);
    bool destroyed = false;
    const auto done = Vm::protect(vm.state(), 0, [&](lua_State* state) {
        Witness witness{destroyed};
        return luaL_error(state, "raised");
    });
    REQUIRE_FALSE(done);
    CHECK(done.error().message == "raised");
    CHECK(destroyed);
}

TEST_CASE("protected bodies get their arguments and leave their results") {
    Vm vm(0);
    lua_pushinteger(vm.state(), 7);
    lua_pushinteger(vm.state(), 35);
    const auto count = Vm::protect(vm.state(), 2, [](lua_State* state) {
        lua_pushnumber(state, lua_tonumber(state, 1) + lua_tonumber(state, 2));
        lua_pushboolean(state, 1);
        return 2;
    });
    REQUIRE(count);
    CHECK(*count == 2);
    CHECK(lua_gettop(vm.state()) == 2);
    CHECK(lua_tonumber(vm.state(), 1) == 42);
}

TEST_CASE("xpcall hands the error and a traceback to a handler that may itself fail") {
    Sandbox box;
    CHECK(box.eval("return (select(2, xpcall(function() error('x', 0) end, function(e, t) "
                   "return e .. '|' .. (t:find('stack traceback', 1, true) and 'traced' or '') "
                   "end)))") == "x|traced");
    CHECK(box.eval("return select('#', xpcall(function(...) return ... end, error, 1, nil, 3))") ==
          "4");
    CHECK(box.eval("local key = {} return select(2, xpcall(function() error(key) end, function(e) "
                   "return e == key end))") == "true");
    CHECK(box.eval("local ok, e = xpcall(error, function() error('again', 0) end) "
                   "return tostring(ok) .. e") == "falseagain");
}

TEST_CASE("xpcall is crossed by a yield") {
    Sandbox box;
    lua_State* state = box.vm.state();
    lua_pushcfunction(state, [](lua_State* inner) { return lua_yield(inner, 0); });
    lua_setfield(state, box.environment, "wait");
    REQUIRE(
        box.vm.load("local ok, value = xpcall(function() return wait() end, error) return value",
                    "wait.lua", box.environment));
    lua_State* coroutine = lua_newthread(state);
    lua_insert(state, -2);
    lua_xmove(state, coroutine, 1);
    CHECK(lua_resume(coroutine, 0) == LUA_YIELD);
    lua_pushliteral(coroutine, "woken");
    CHECK(lua_resume(coroutine, 1) == 0);
    CHECK(std::string(lua_tostring(coroutine, -1)) == "woken");
}

TEST_CASE("a watchdog's hook stops what it must") {
    const char* const loops[] = {
        "while true do end",
        "while true do pcall(function() while true do end end) end",
        "local function loop() while true do end end xpcall(loop, loop)",
        "while true do xpcall(error, function() while true do end end) end",
        "local s = ('a'):rep(5000) while true do s:find('.-.-.-b') end",
        "local s = ('a'):rep(50000) s:gsub('(.-)(.-)(.-)b', '')",
        "for w in ('a'):rep(50000):gmatch('.-.-.-b') do end",
        "local t = {} for i = 1, 3e6 do t[i] = i % 7 end while true do table.sort(t, rawequal) end",
        "local t = {} for i = 1, 3e6 do t[i] = -i end while true do table.sort(t) t[1] = 0 end",
        "local t = {} for i = 1, 3e5 do t[i] = {} end while true do json.encode(t) end",
        "local s = '[' .. ('1,'):rep(3e5) .. '1]' while true do json.decode(s) end",
    };
    for (const char* loop : loops) {
        INFO(loop);
        Sandbox box;
        std::string error;
        {
            HookingThread watchdog(box.vm.state());
            error = box.eval(loop);
        }
        CHECK(error.starts_with("error: "));
        CHECK(box.eval("return 'alive'") == "alive");
    }
}

TEST_CASE("callbacks within callbacks end before the thread's stack does") {
    Sandbox box;
    for (int i = 0; i < 3; ++i) {
        CHECK(box.eval("local function f() return (('a'):gsub('a', f)) end return f()")
                  .ends_with("C stack overflow"));
        CHECK(box.eval("local t = setmetatable({}, {}) getmetatable(t).__index = function(_, k) "
                       "return (('a'):gsub('a', t)) end return t.x")
                  .ends_with("C stack overflow"));
    }
    CHECK(box.eval("local function f() table.sort({2, 1}, f) end f()").find("stack overflow") !=
          std::string::npos);
    CHECK(box.eval("local t t = setmetatable({}, {__tostring = function() return "
                   "string.format('%s', t) end}) return tostring(t)")
              .find("stack overflow") != std::string::npos);
    CHECK(box.eval("return (('ab'):gsub('.', function(c) return (c:gsub('.', '%0%0')) end))") ==
          "aabb");
}

TEST_CASE("random numbers differ between states") {
    Sandbox one, other;
    CHECK(one.eval("return math.random(1e15)") != other.eval("return math.random(1e15)"));
}

TEST_CASE("the compiler is on where it was asked for, and never a script's to touch") {
    for (const bool jit : {false, true}) {
        Vm vm(0, jit);
        bool on = false, seen = true;
        REQUIRE(vm.push_environment());
        const auto looked = Vm::protect(vm.state(), 1, [&](lua_State* state) {
            lua_getfield(state, 1, "jit");
            seen = !lua_isnil(state, -1);
            lua_getfield(state, LUA_GLOBALSINDEX, "jit");
            if (!lua_istable(state, -1)) return 0;
            lua_getfield(state, -1, "status");
            lua_call(state, 0, 1);
            on = lua_toboolean(state, -1);
            return 0;
        });
        REQUIRE(looked);
        CHECK_FALSE(seen);
        CHECK(on == jit);
    }
}
