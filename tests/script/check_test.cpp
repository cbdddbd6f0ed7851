#include "core/script/check.hpp"

#include "tests/script/host_fixture.hpp"

using namespace moonwire;
using namespace moonwire::script;

namespace {

struct CheckTest : ScriptTest {
    /// "file:line:column: message", warnings with a "w " in front.
    Lines check() const {
        Lines lines;
        for (const Problem& each : check_scripts(options))
            lines.push_back((each.is_warning ? "w " : "") + each.file + ":" +
                            std::to_string(each.line) + ":" + std::to_string(each.column) + ": " +
                            each.message);
        return lines;
    }
    Lines check(std::string_view main) const {
        folder.write("main.lua", main);
        return check();
    }
    /// The only problem of main.lua, whose first line is made here.
    std::string problem(std::string_view rest) const {
        const Lines lines = check("local ns = namespace '/t'\n" + std::string(rest));
        if (lines.size() == 1) return lines.front();
        std::string all = std::to_string(lines.size()) + " problems";
        for (const std::string& line : lines) all += "\n" + line;
        return all;
    }
};

}  // namespace

TEST_CASE("check loads everything in scratch states and serves nothing") {
    CheckTest test;
    test.folder.write("good.lua",
                      "local ns = namespace '/good' every(1, function() end) spawn(function() end)"
                      " ns:on('e', function() end) route('GET', '/x', function() end)");
    test.folder.write("bad.lua", "namespace '/bad'\nlocal x = = 1");
    test.folder.write("twice.lua", "namespace '/twice'\nroute('GET', '/x', function() end)");
    const Lines problems = test.check();
    REQUIRE(problems.size() == 2);
    CHECK(problems[0].starts_with("app/bad.lua:2:11: "));
    CHECK(problems[1].starts_with("app/twice.lua:2:0: a second route GET /x"));
}

TEST_CASE("check knows the metrics of all namespaces") {
    CheckTest test;
    test.folder.write("a.lua", "local ns = namespace '/a'\nmetrics.counter('x_total', 'X.')");
    test.folder.write("b.lua", "local ns = namespace '/b'\nmetrics.counter('x_total', 'X.')");
    CHECK(test.check().empty());
    test.folder.write("c.lua", "local ns = namespace '/c'\n\nmetrics.gauge('x', 'X.')");
    CHECK(test.check() ==
          Lines{"app/c.lua:3:0: metric 'x': in namespace /a it is a counter, not a gauge"});
}

TEST_CASE("every file's errors are told at once, each once") {
    CheckTest test;
    test.folder.write("a.lua", "local ns = namespace '/t'\nlocal = 1");
    test.folder.write("b.lua", "local ns = namespace '/t'\nns:on('e')");
    test.folder.write("c.lua", "local ns = namespace '/t'\nrequire 'lib.bad'\nstore.x = 1");
    test.folder.write("d.lua", "local ns = namespace '/t'\nlocal S = require('schema').strig {}");
    test.folder.write("lib/bad.lua", "return\n\nx y");
    test.folder.write("lib/unused.lua", "local x = = 2");
    const Lines problems = test.check();
    REQUIRE(problems.size() == 6);
    CHECK(problems[0].starts_with("app/a.lua:2:7: "));
    CHECK(problems[1].starts_with("app/b.lua:2:0: "));
    CHECK(problems[2] == "app/c.lua:3:1: unknown global 'store'");
    CHECK(problems[3] ==
          "app/d.lua:2:29: schema has no field 'strig'; did you mean 'string'?");
    CHECK(problems[4].starts_with("app/lib/bad.lua:3:"));
    CHECK(problems[5].starts_with("app/lib/unused.lua:1:11: "));
}

TEST_CASE("names that nothing defines are found where a handler would only fail later") {
    CheckTest test;
    CHECK(test.problem("ns:on('e', function() return tabel.concat({}) end)") ==
          "app/main.lua:2:30: unknown global 'tabel'; did you mean 'table'?");
    CHECK(test.problem("ns:on('e', function() print(1) end)") ==
          "app/main.lua:2:23: unknown global 'print'; here it is log.info");
    CHECK(test.problem("ns:on('e', function() count = 1 end)") ==
          "app/main.lua:2:23: global 'count' is not set while the file loads, so it can't be set "
          "later; a forgotten 'local'?");
    CHECK(test.problem("ns:on('e', function(socket) socket:emitt('x') end)") ==
          "app/main.lua:2:36: socket has no method 'emitt'; did you mean 'emit'?");
    CHECK(test.problem("ns:on('e', function(socket) socket.emit('x') end)") ==
          "app/main.lua:2:36: socket.emit is a method: it is called with ':', not '.'");
    CHECK(test.problem("ns:on('e', function(socket) return socket:rooms() end)") ==
          "app/main.lua:2:43: socket.rooms is no method");
    CHECK(test.problem("ns:on('e', function(socket) socket.name = 1 end)") ==
          "app/main.lua:2:36: socket has no field 'name'");
    CHECK(test.problem("ns:on('e', function(socket) socket.id = 1 end)") ==
          "app/main.lua:2:36: socket.id can't be set");
    CHECK(test.problem("ns:on('e', function() log:info('x') end)") ==
          "app/main.lua:2:27: log.info is called with '.', not ':'");
    CHECK(test.problem("ns:on('e', function() log.inof('x') end)") ==
          "app/main.lua:2:27: log has no field 'inof'; did you mean 'info'?");
    CHECK(test.problem("ns:on('e', function() ns.store:gett('x') end)") ==
          "app/main.lua:2:32: store has no method 'gett'; did you mean 'get'?");
    CHECK(test.problem("local store = ns.store ns:on('e', function() store.set('x', 1) end)") ==
          "app/main.lua:2:52: store.set is a method: it is called with ':', not '.'");
    CHECK(test.problem("ns:on('e', function() require 'lib.none' end)").starts_with(
        "app/main.lua:2:23: module 'lib.none' not found"));
}

TEST_CASE("what is defined somewhere is no unknown name") {
    CheckTest test;
    test.folder.write("a.lua", "local ns = namespace '/t' shared = 1 function helper() return shared end");
    test.folder.write("lib/m.lua", "from_module = 1 return function(n) _G[n] = true return set_by_name end");
    CHECK(test.check(R"(
local ns = namespace '/t'
require('lib.m')('set_by_name')
local function init() later = {} end
init()
function string.trim(s) return s end
ns:on('e', function(socket, event, ...)
  shared = shared + 1
  later.x = helper(from_module, set_by_name, string.trim(''), _G.anything)
  local emit = socket.emit
  emit(socket, 'x')
  socket.emit(socket, 'x')
  socket.data, ns.state = {}, {}
  if math.huge and _VERSION and noack and null then return noack end
  return ('x'):rep(2), json.array {}, bit.band(1, 2), os.time(), socket.handshake.auth.user
end)
)") == Lines{});
}

TEST_CASE("names in other namespaces are compared with what those offer") {
    CheckTest test;
    test.folder.write("other.lua", R"(
local ns = namespace '/other'
ns:serve('count', function() end)
ns:on_server('restock', function() end)
)");
    test.folder.write("family.lua", "namespace '/tenant/:name'");
    CHECK(test.check(R"(local ns = namespace '/t'
ns:on('e', function()
  ask('/other', 'count')
  ask('/other', 'cuont')
  namespace_of('/other'):server_emit('restock')
  namespace_of('/other'):server_emit('restok')
  namespace_of('/tenant/acme'):emit('x')
  namespace_of('/othr'):emit('x')
end)
ns:relay('r', { to_namespace = '/othr' })
ns:relay('s', { to_namespace = '/tenant/acme' }))") == Lines{"w app/main.lua:4:3: namespace '/other' serves no 'cuont'; did you mean 'count'?",
                 "w app/main.lua:6:26: namespace '/other' has no on_server for 'restok'; did you "
                 "mean 'restock'?",
                 "w app/main.lua:8:3: no script here serves namespace '/othr'; did you mean "
                 "'/other'?",
                 "w app/main.lua:10:0: no script here serves namespace '/othr'; did you mean "
                 "'/other'?"});
}

TEST_CASE("events are compared with those that are declared, where any are") {
    CheckTest test;
    CHECK(test.check(R"(local ns, schema = namespace '/t', require 'schema'
ns:emits('position:changed', schema.any())
ns:on('request', function(socket)
  socket:emit('position:changed')
  ns:to('r'):emit('postion:changed')
end)
ns:on('reuqest', function() end)
ns:on('positon:changed', function() end)
ns:on('positionChanged', function() end))") ==
          Lines{"w app/main.lua:5:14: event 'postion:changed' is not declared with ns:emits, as "
                "others are; did you mean 'position:changed'?",
                "w app/main.lua:7:0: the handler's event 'reuqest' looks like a slip of 'request' "
                "(app/main.lua:3)",
                "w app/main.lua:8:0: the handler's event 'positon:changed' looks like a slip of "
                "'position:changed' (app/main.lua:2)"});
    CHECK(test.check("local ns = namespace '/t' ns:on('e', function(s) s:emit('any') end)") ==
          Lines{});
}

TEST_CASE("modules that nothing requires are told of, unless what is required can't be known") {
    CheckTest test;
    test.folder.write("lib/used.lua", "require 'lib.inner'");
    test.folder.write("lib/inner.lua", "return 1");
    test.folder.write("lib/unused.lua", "return require 'lib.of_unused'");
    test.folder.write("lib/of_unused.lua", "return 1");
    CHECK(test.problem("require 'lib.used'") ==
          "2 problems\n"
          "w app/lib/of_unused.lua:0:0: not used: nothing requires \"lib.of_unused\", and it calls "
          "no namespace\n"
          "w app/lib/unused.lua:0:0: not used: nothing requires \"lib.unused\", and it calls no "
          "namespace");
    CHECK(test.check("namespace '/t' require('lib.' .. 'used')") == Lines{});
}

TEST_CASE("modules that apps share are looked at once, whoever requires them") {
    CheckTest test;
    ScriptFolder second, shared;
    test.options.apps.push_back(test.app("two", second));
    for (App& each : test.options.apps) each.shared = shared.path();
    shared.write("good.lua", "return require 'shared.unused'");
    shared.write("unused.lua", "return {}");
    shared.write("slip.lua", "return { now = nwo() }");
    shared.write("broken.lua", "return =");
    test.folder.write("main.lua", "namespace '/one' require 'shared.good' require 'shared.goood'");
    second.write("main.lua", "namespace '/two' require 'shared.good'");
    CHECK(test.check() ==
          Lines{"app/main.lua:1:40: module 'shared.goood' not found: app 'app' has no such file "
                "without a namespace (nor is it built in); did you mean 'shared.good'?",
                "shared/broken.lua:1:8: unexpected symbol near '='",
                "shared/slip.lua:1:16: unknown global 'nwo'; did you mean 'now'?"});
}

TEST_CASE("a demo is looked at, though it is off") {
    CheckTest test;
    test.folder.write("demo.lua", "local ns = namespace '/t'\nns:om('d', function() end)");
    CHECK(test.problem("").starts_with("app/demo.lua:2:4: "));
}

TEST_CASE("an app that serves nothing is told of") {
    CheckTest test;
    test.folder.write("lib.lua", "return 1");
    CHECK(test.check("return 2") == Lines{"w app:0:0: no file here calls namespace",
                                          "w app/lib.lua:0:0: not used: nothing requires \"lib\", "
                                          "and it calls no namespace",
                                          "w app/main.lua:0:0: not used: nothing requires "
                                          "\"main\", and it calls no namespace"});
}
