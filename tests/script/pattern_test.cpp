#include "core/script/pattern.hpp"

#include <doctest/doctest.h>

#include <random>
#include <string>
#include <vector>

#include "tests/script/values_fixture.hpp"

using namespace moonwire;
using namespace moonwire::script;

namespace {

/// The results of a string function, or "error" and what it says without its place.
std::string outcome(lua_State* state, const char* function, const std::string& subject,
                    const std::string& pattern, const std::string& last) {
    const int top = lua_gettop(state);
    lua_getfield(state, top, function);
    lua_pushlstring(state, subject.data(), subject.size());
    lua_pushlstring(state, pattern.data(), pattern.size());
    const bool gsub = std::string(function) == "gsub";
    if (gsub) lua_pushlstring(state, last.data(), last.size());
    std::string text;
    if (lua_pcall(state, gsub ? 3 : 2, LUA_MULTRET, 0) != 0) text = "error ";
    for (int i = top + 1; i <= lua_gettop(state); ++i) {
        std::size_t length = 0;
        const char* data = lua_tolstring(state, i, &length);
        text += data ? std::string(data, length) : "nil";
        text += '|';
    }
    lua_settop(state, top);
    return text;
}

}  // namespace

TEST_CASE("bounded patterns do what LuaJIT's own do, where no zero byte ends the pattern early") {
    lua_State* original = luaL_newstate();
    luaL_openlibs(original);
    lua_getfield(original, LUA_GLOBALSINDEX, "string");
    Sandbox box;
    lua_getfield(box.vm.state(), box.environment, "string");

    std::mt19937 random(42);
    const auto pick = [&](std::size_t n) { return static_cast<std::size_t>(random() % n); };
    const std::vector<std::string> pieces{
        "a",     "b",      ".",      "%a", "%d", "%s",     "%w",       "%W",    "%p", "%c",  "%x",
        "%z",    "%u",     "%l",     "%g", "%%", "%.",     "[ab]",     "[^ab]", "[]", "[]]", "[^]]",
        "[a-c]", "[%d_]",  "(",      ")",  "()", "(a)",    "(.-)",     "(b*)",  "%1", "%2",  "%b()",
        "%bab",  "%f[%w]", "%f[^a]", "*",  "+",  "-",      "?",        "$",     "^",  "[a-", "[%",
        "%",     "%b",     "%f",     "1",  " ",  "[a%-c]", "\xc3\xa9", "%0"};
    const std::vector<std::string> letters{
        "a", "b",  "c", "1", " ", "(", ")", "_", "A", "]", "-", "\xc3\xa9", std::string(1, '\0'),
        "%", "\n", "^"};
    const std::vector<std::string> replacements{"",   "x",  "%0", "%1", "<%0%1>",
                                                "%2", "%%", "%",  "%a"};
    for (int round = 0; round < 60000; ++round) {
        std::string subject, pattern;
        for (std::size_t n = pick(10); n > 0; --n) subject += letters[pick(letters.size())];
        for (std::size_t n = pick(6); n > 0; --n) pattern += pieces[pick(pieces.size())];
        const std::string& replacement = replacements[pick(replacements.size())];
        for (const char* function : {"find", "match", "gsub"}) {
            const std::string expected = outcome(original, function, subject, pattern, replacement);
            const std::string got =
                outcome(box.vm.state(), function, subject, pattern, replacement);
            INFO(std::string(function)
                 << " '" << subject << "' '" << pattern << "' '" << replacement << "'");
            REQUIRE(got == expected);
        }
    }
    lua_close(original);
}

TEST_CASE("find starts where it is told and takes plain text") {
    Sandbox box;
    CHECK(box.eval("return ('hello'):find('l', 4)") == "4");
    CHECK(box.eval("return ('hello'):find('l', -1)") == "nil");
    CHECK(box.eval("return ('hello'):find('', 10)") == "6");
    CHECK(box.eval("return ('a.b'):find('.', 2, true)") == "2");
    CHECK(box.eval("return ('a+b'):find('+', 1, true)") == "2");
    CHECK(box.eval("return (('a'):rep(1e6)):find(('a'):rep(5e5) .. 'b', 1, true)") == "nil");
}

TEST_CASE("a zero byte in a pattern is a byte") {
    Sandbox box;
    CHECK(box.eval("return ('a\\0b'):find('\\0b')") == "2");
    CHECK(box.eval("return (('a\\0b'):gsub('[\\0]', '.'))") == "a.b");
    CHECK(box.eval("return ('ab'):find('a\\0')") == "nil");
}

TEST_CASE("gmatch walks matches, captures and empty matches") {
    Sandbox box;
    CHECK(box.eval("local all = '' for w in ('one two'):gmatch('%a+') do all = all .. w .. ';' end "
                   "return all") == "one;two;");
    CHECK(box.eval("local all = '' for k, v in ('a=1, b=2'):gmatch('(%w)=(%w)') do "
                   "all = all .. k .. v end return all") == "a1b2");
    CHECK(box.eval("local n = 0 for _ in ('abc'):gmatch('') do n = n + 1 end return n") == "4");
}

TEST_CASE("gsub takes functions and tables and stops after n") {
    Sandbox box;
    CHECK(box.eval("return (('abc'):gsub('%w', {a = '1', b = true and 2}))") == "12c");
    CHECK(box.eval("return (('abc'):gsub('%w', function(c) if c ~= 'b' then return c .. c end "
                   "end))") == "aabcc");
    CHECK(box.eval("return (('abc'):gsub('%w', 'x', 2))") == "xxc");
    CHECK(box.eval("return select(2, ('abc'):gsub('', '-'))") == "4");
    CHECK(box.eval("local _ = ('abc'):gsub('%w', function() return {} end)") ==
          "error: test.lua:1: invalid replacement value (a table)");
    CHECK(box.eval("return ('abc'):gsub('a')").find("string/function/table expected") !=
          std::string::npos);
    CHECK(box.eval("return (('x'):rep(100000):gsub('x', '%0%0')):len()") == "200000");
}

TEST_CASE("a pattern that backtracks without end is an error, with no watchdog at hand") {
    Sandbox box;
    CHECK(box.eval("local _ = ('a'):rep(5000):find('.-.-.-.-b')") ==
          "error: test.lua:1: pattern takes too long to match");
    CHECK(box.eval("local _ = ('a'):rep(300000):find(('a?'):rep(300000))")
              .starts_with("error: test.lua:1: pattern "));
    CHECK(box.eval("local _ = ('('):rep(300000):find('%b()')") ==
          "error: test.lua:1: pattern takes too long to match");
    CHECK(box.eval("local _ = ('a'):rep(10):find(('('):rep(40))") ==
          "error: test.lua:1: too many captures");
}

TEST_CASE("a malformed pattern is found without a subject") {
    const auto problem = [](std::string_view pattern) {
        MatchBudget budget{0};
        PatternMatch match({}, pattern, budget);
        const char* what = match.syntax_problem();
        return std::string(what ? what : "");
    };
    CHECK(problem("%a+[^x]?(%d)%1%b()%f[%w]$") == "");
    CHECK(problem("") == "");
    CHECK(problem("a%") == "malformed pattern (ends with '%')");
    CHECK(problem("a[b") == "malformed pattern (missing ']')");
    CHECK(problem("a[b%") == "malformed pattern (missing ']')");
    CHECK(problem("%f") == "missing '[' after '%f' in pattern");
    CHECK(problem("%b(") == "unbalanced pattern");
    CHECK(problem("(a") == "unfinished capture");
    CHECK(problem("a)") == "invalid pattern capture");
    CHECK(problem("(a)%2") == "invalid capture index");
    CHECK(problem("(a%1)") == "invalid capture index");
}
