#include "core/script/lint_facts.hpp"

#include <doctest/doctest.h>

#include <sstream>

using namespace moonwire::script;

namespace {

/// The globals as "line:column name", those written with a "=".
std::string globals(std::string_view source) {
    std::ostringstream out;
    for (const auto& each : read_facts(source).globals)
        out << each.at.line << ':' << each.at.column << ' ' << each.name
            << (each.written ? "= " : " ");
    return out.str();
}

std::string members(std::string_view source) {
    std::ostringstream out;
    for (const auto& each : read_facts(source).members) {
        const char* how[] = {".", ".=", ".()", ":()"};
        out << each.type << how[static_cast<int>(each.how)] << each.name << ' ';
    }
    return out.str();
}

std::string names(const std::vector<LuaFacts::Named>& list) {
    std::ostringstream out;
    for (const auto& each : list) out << each.nsp << '|' << each.name << ' ';
    return out.str();
}

}  // namespace

TEST_CASE("globals are told from locals in every kind of scope") {
    CHECK(globals("local a = b").starts_with("1:11 b "));
    CHECK(globals("local a = a") == "1:11 a ");
    CHECK(globals("local function f() return f end") == "");
    CHECK(globals("function f() end").starts_with("1:10 f= "));
    CHECK(globals("local t = {} function t.x.y:z(p) return self, p end") == "");
    CHECK(globals("for i = 1, n do local x = i end return i, x") == "1:12 n 1:40 i 1:43 x ");
    CHECK(globals("for k, v in pairs(t) do k = v end return k") == "1:13 pairs 1:19 t 1:42 k ");
    CHECK(globals("repeat local done = true until done") == "");
    CHECK(globals("while x do local x = 1 end") == "1:7 x ");
    CHECK(globals("do local x end x = 1") == "1:16 x= ");
    CHECK(globals("if a then local b elseif b then else c() end") == "1:4 a 1:26 b 1:38 c ");
    CHECK(globals("return function(a, ...) return a, ... end") == "");
    CHECK(globals("local t = { x = y, [z] = 1; w }") == "1:17 y 1:21 z 1:29 w ");
    CHECK(globals("x, t.y, z = 1").find("t.y") == std::string::npos);
    CHECK(globals("x, z = 1") == "1:1 x= 1:4 z= ");
    CHECK(globals("goto done ::done:: local goto_ = 1") == "");
    CHECK(globals("local goto = 1 return goto") == "");
    CHECK(globals("f 'x' f [[x]] f { x } f()\n(g or h).i = 1") ==
          "1:1 f 1:7 f 1:15 f 1:19 x 1:23 f 2:2 g 2:7 h ");
    CHECK(globals("local s = ('x'):rep(3) .. -#s ^ 2 .. 0x1p-3 .. 1e-5 .. .5") == "1:29 s ");
    CHECK(globals("-- x\n--[==[ y ]] ]==] return [==[ z ]==]") == "");
}

TEST_CASE("broken syntax is located, whatever it is") {
    const std::pair<const char*, std::pair<int, int>> cases[] = {
        {"local = 1", {1, 7}},        {"x", {1, 2}},
        {"if x do end", {1, 6}},      {"f(1,)", {1, 5}},
        {"local x\n\n  = = 1", {3, 5}}, {"return 1 x()", {1, 10}},
        {"for i do end", {1, 7}},     {"end", {1, 1}},
        {"x.y", {1, 4}},              {"f() + 1", {1, 5}},
    };
    for (const auto& [source, at] : cases) {
        CAPTURE(source);
        const LuaFacts facts = read_facts(source);
        REQUIRE(facts.broken);
        CHECK(std::pair(facts.broken->line, facts.broken->column) == at);
    }
    std::string deep(100'000, '(');
    CHECK(read_facts(deep).broken);
    deep.clear();
    for (int i = 0; i < 50'000; ++i) deep += "do ";
    CHECK(read_facts(deep).broken);
    CHECK(read_facts(std::string(100'000, '{')).broken);
    CHECK(read_facts("local x = \"unfinished").broken == std::nullopt);
}

TEST_CASE("values of the API are followed through locals and handlers") {
    CHECK(members("local ns = namespace '/t' ns:on('e', function(socket) socket:foo() end)") ==
          "socket:()foo namespace:()on ");
    CHECK(members("namespace('/t'):to('r'):except('x'):emit('e')") ==
          "namespace:()to chain:()except chain:()emit ");
    CHECK(members("local ns = namespace '/t' local all = ns:to('r') local x = all.y") ==
          "namespace:()to chain.y ");
    CHECK(members("local s = require 'schema' s.object {} local o = s.x") ==
          "schema.()object schema.x ");
    CHECK(members("local geo = require('geo') geo.index(5):near()") == "geo.()index geo index:()near ");
    CHECK(members("log.info('x') local l = log l.warn()") == "log.()info log.()warn ");
    CHECK(members("local c = metrics.counter('a_total', 'A.') c:inc()") ==
          "metrics.()counter counter:()inc ");
    CHECK(members("every(1, f):cancel()") == "timer:()cancel ");
    CHECK(members("namespace_of('/x'):to('r'):emit('e')") == "remote chain:()to remote chain:()emit ");
    CHECK(members("local ns = namespace '/t' ns:on_connect(function(s) s.data = {} s.x = 1 end)") ==
          "socket.=data socket.=x namespace:()on_connect ");
}

TEST_CASE("nothing is claimed of what may have become something else") {
    CHECK(members("local ns = namespace '/t' ns = other ns:foo()") == "");
    CHECK(members("local ns = namespace '/t' local c = ns:to('r') ns = 1 c:foo()") == "");
    CHECK(members("local ns = namespace '/t' ns:on('e', function(s) s = 1 s:foo() end)") ==
          "namespace:()on ");
    CHECK(members("local t = flag and log or other t.foo()") == "");
    CHECK(members("local log = function() end log.foo()") == "");
    CHECK(members("local function f(socket) socket:foo() end") == "");
    CHECK(members("local x = { log } x.foo()") == "");
    CHECK(members("(ns or log).foo()") == "");
}

TEST_CASE("names in literal strings are found with the namespace they are about") {
    const LuaFacts facts = read_facts(R"(
local ns = namespace "/t"
ns:on("e", function(socket)
  socket:emit("a") socket:broadcast():emit("b") ns:to("r"):call("c") ns:emit(name)
  namespace_of("/o"):to("r"):emit("d") namespace_of(other):emit("x")
  namespace_of("/o"):server_emit("s", 1)
  ask("/o", "f", 1) ask(other, "g") namespace_of("/o"):timeout(1):ask("h")
  unknown:emit("y")
end)
require "lib.a" require("lib.b")
)");
    CHECK(names(facts.emits) == "|a |b |c /o|d ");
    CHECK(names(facts.server_emits) == "/o|s ");
    CHECK(names(facts.asks) == "/o|f /o|h ");
    CHECK(names(facts.namespaces) == "|/o |/o |/o |/o ");
    CHECK(names(facts.modules) == "|lib.a |lib.b ");
    CHECK_FALSE(facts.requires_computed);
    CHECK(read_facts("require(name)").requires_computed);
    CHECK(read_facts("pcall(require, 'x')").requires_computed);
    CHECK_FALSE(read_facts("local require = f require(name)").requires_computed);
}

TEST_CASE("a source that ends anywhere is read to its end, and no further") {
    const std::string_view source = R"(#!x
local ns, schema = namespace "/t", require "schema" -- [[
local t = { a = 1, [ [[b]] ] = 0x1p-3; f'x', ... } --[==[ ] ]==]
function t.x:y(a, ...) for i = 1, 2 do while not a do repeat local z = 'q\'' until z end end end
ns:on("e", { schema.any() }, function(s, ...) if a then goto d elseif b then else end ::d:: end)
)";
    CHECK_FALSE(read_facts(source).broken);
    for (std::size_t length = 0; length < source.size(); ++length) {
        read_facts(source.substr(0, length));
        read_facts(source.substr(length));
    }
}
