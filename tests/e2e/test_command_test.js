"use strict";
// `moonwire test`: what a developer and a CI system see of it.

const assert = require("node:assert");
const fs = require("node:fs");
const path = require("node:path");
const { describe, it } = require("node:test");
const { moonwire, scriptsFolder } = require("./lib/broker");

const HANDLERS = `local ns = namespace "/t"
ns:on("double", function(socket, n) return n * 2 end)
ns:on("loop", function() while true do end end)
`;
const PASSING = `describe("doubling", function()
  it("works", function() expect(connect("/t"):call("double", 4)).to_equal(8) end)
  it.skip("is hard", function() end)
end)
`;
const FAILING = `it("is wrong", function()
  expect({ a = connect("/t"):call("double", 4) }).to_equal { a = 9 }
end)
`;

/// Runs `moonwire test` over made-up files: {status, stdout, stderr, read(name)}.
function run(files, ...args) {
  const folder = scriptsFolder(files);
  try {
    const result = moonwire(["test", folder, ...args.map((each) => each.replace("FOLDER", folder))]);
    const xml = path.join(folder, "out.xml");
    return { ...result, xml: fs.existsSync(xml) ? fs.readFileSync(xml, "utf8") : null };
  } finally {
    fs.rmSync(folder, { recursive: true, force: true });
  }
}

/// The elements of JUnit's XML, checked to be nested as they should: [name, attributes, text].
function elements(xml) {
  const found = [];
  const open = [];
  const unescape = (text) => text.replace(/&#10;/g, "\n").replace(/&quot;/g, '"')
    .replace(/&lt;/g, "<").replace(/&gt;/g, ">").replace(/&amp;/g, "&");
  const token = /<\?.*?\?>|<(\/?)([\w-]+)((?:\s+[\w-]+="[^"<]*")*)\s*(\/?)>|([^<]+)/gy;
  let match;
  let end = 0;
  while ((match = token.exec(xml))) {
    end = token.lastIndex;
    const [, closing, name, attributes, empty, text] = match;
    if (text && open.length) open.at(-1)[2] += unescape(text);
    if (!name) continue;
    if (closing) {
      assert.strictEqual(open.pop()[0], name);
      continue;
    }
    const pairs = [...attributes.matchAll(/([\w-]+)="([^"]*)"/g)];
    const element = [name, Object.fromEntries(pairs.map((each) => [each[1], unescape(each[2])])), ""];
    found.push(element);
    if (!empty) open.push(element);
  }
  assert.strictEqual(end, xml.length, "not XML: " + xml.slice(end));
  assert.deepStrictEqual(open, []);
  return found;
}

describe("moonwire test", () => {
  it("passes, and counts what it skipped", () => {
    const result = run({ "main.lua": HANDLERS, "main_test.lua": PASSING });
    assert.strictEqual(result.stdout, "1 passed, 0 failed, 1 skipped\n");
    assert.strictEqual(result.stderr, "");
    assert.strictEqual(result.status, 0);
  });

  it("names every test if asked to", () => {
    const { stdout } = run({ "shop/main.lua": HANDLERS, "shop/main_test.lua": PASSING }, "--verbose");
    assert.deepStrictEqual(stdout.split("\n"), [
      "ok doubling > works (shop/main_test.lua:2)", "skipped doubling > is hard (shop/main_test.lua:3)",
      "1 passed, 0 failed, 1 skipped", ""]);
  });

  it("fails with the line, the difference and exit code 1", () => {
    const result = run({ "shop/main.lua": HANDLERS, "shop/main_test.lua": PASSING + FAILING });
    assert.strictEqual(result.stdout, [
      "FAILED is wrong (shop/main_test.lua:5)", "  shop/main_test.lua:6: not as expected",
      "    $.a: expected 9, got 8", "", "1 passed, 1 failed, 1 skipped", ""].join("\n"));
    assert.strictEqual(result.status, 1);
  });

  it("runs every app's tests against that app", () => {
    const result = run({
      "a/main.lua": HANDLERS, "a/main_test.lua": PASSING,
      "b/main.lua": HANDLERS.replace('"/t"', '"/b"').replace("* 2", "* 3"),
      "b/deep/down_test.lua": 'it("triples", function() expect(connect("/b"):call("double", 4)).to_equal(12) end)',
      "b/alone_test.lua": 'it("is alone", function() expect((connect("/t"))).to_be_nil() end)',
    });
    assert.strictEqual(result.stdout, "3 passed, 0 failed, 1 skipped\n");
  });

  it("runs those that a filter finds", () => {
    const files = { "main.lua": HANDLERS, "main_test.lua": PASSING + FAILING };
    assert.strictEqual(run(files, "--filter", "doubling > w").stdout, "1 passed, 0 failed\n");
    const none = run(files, "--filter", "nothing like it");
    assert.strictEqual(none.status, 1);
    assert.match(none.stderr, /no test's name matches "nothing like it"/);
    assert.match(run(files, "--filter", "%").stdout, /FAILED --filter: .*malformed pattern/);
  });

  it("says that there are no tests", () => {
    const result = run({ "main.lua": HANDLERS });
    assert.strictEqual(result.status, 1);
    assert.match(result.stderr, /no tests: no \*_test\.lua below/);
  });

  it("tells of files with errors, and runs the others", () => {
    const result = run({
      "shop/main.lua": HANDLERS, "shop/a_test.lua": "it('x', function() end)\nerror('top')", "shop/b_test.lua": PASSING,
    });
    assert.match(result.stdout, /^FAILED shop\/a_test\.lua:2: top$/m);
    assert.match(result.stdout, /^1 passed, 1 failed, 1 skipped$/m);
    assert.strictEqual(result.status, 1);
    const scripts = run({ "shop/main.lua": "local ns = namespace '/t'\nns:nope()", "shop/b_test.lua": PASSING });
    assert.match(scripts.stdout, /^FAILED shop\/main\.lua:2: /m);
    assert.match(scripts.stdout, /^0 passed, 1 failed$/m);
    assert.strictEqual(scripts.status, 1);
  });

  it("ends endless loops in tests and in handlers", () => {
    const result = run({
      "shop/main.lua": HANDLERS,
      "shop/main_test.lua": `it("loops", function() while true do end end)
it("loops in a pcall", function() while true do pcall(function() while true do end end) end end)
it("asks a loop", function() connect("/t"):call("loop") end)
it("goes on", function() expect(connect("/t"):call("double", 1)).to_equal(2) end)
`,
      "shop/top_test.lua": "while true do end",
    }, "--seconds", "0.5", "--verbose");
    assert.match(result.stdout, /FAILED loops \(.*\n {2}shop\/main_test\.lua:1: stopped after/);
    assert.match(result.stdout, /FAILED loops in a pcall/);
    assert.match(result.stdout, /FAILED asks a loop(.|\n)*shop\/main\.lua:3/);
    assert.match(result.stdout, /^ok goes on/m);
    assert.match(result.stdout, /^FAILED shop\/top_test\.lua:1: stopped after/m);
    assert.match(result.stdout, /^1 passed, 4 failed$/m);
  });

  it("writes JUnit's XML", () => {
    const { xml, status } = run({
      "shop/main.lua": HANDLERS, "shop/main_test.lua": PASSING + FAILING, "shop/x_test.lua": "error('<&>')",
    }, "--junit", "FOLDER/out.xml");
    assert.strictEqual(status, 1);
    const all = elements(xml);
    assert.deepStrictEqual(all[0], ["testsuites",
      { name: "moonwire test", tests: "4", failures: "1", errors: "1", skipped: "1" }, all[0][2]]);
    const cases = all.filter(([name]) => name === "testcase").map(([, each]) => each.name);
    assert.deepStrictEqual(cases, ["doubling > works", "doubling > is hard", "is wrong", "loads"]);
    const [, , failure] = all.find(([name]) => name === "failure");
    assert.strictEqual(failure, "shop/main_test.lua:6: not as expected\n  $.a: expected 9, got 8");
    assert.match(all.find(([name]) => name === "error")[2], /^shop\/x_test\.lua:1: <&>/);
    const unwritable = run({ "main.lua": HANDLERS, "main_test.lua": PASSING }, "--junit", "FOLDER/no/out.xml");
    assert.match(unwritable.stderr, /can't write/);
    assert.strictEqual(unwritable.status, 1);
  });

  it("takes settings from the app's file and from the command line", () => {
    const files = {
      "main.lua": 'local ns = namespace "/t"\nns:on("limit", function() return setting("shop.limit") end)',
      "moonwire.toml": "[settings.shop]\nlimit = 5\n[namespaces]\n\"/alias\" = \"/t\"\n",
      "main_test.lua": 'it("reads", function() expect(connect("/alias"):call("limit")).to_equal(5) end)',
    };
    assert.strictEqual(run(files).stdout, "1 passed, 0 failed\n");
    assert.match(run(files, "--set", "settings.shop.limit=6").stdout, /expected 5, got 6/);
  });

  it("runs the tests of what apps share with all of them, or by itself, not with one app", () => {
    const files = {
      "one/main.lua": 'local twice = require "shared.twice"\nnamespace("/one"):on("e", function(_, n) return twice(n) end)',
      "one/main_test.lua": 'it("asks", function() expect(connect("/one"):call("e", 2)).to_equal(4) end)',
      "shared/twice.lua": "return function(n) return n * 2 end",
      "shared/twice_test.lua": 'it("doubles", function() expect(require "shared.twice" (3)).to_equal(6) end)',
    };
    const folder = scriptsFolder(files);
    const names = (...where) => [...moonwire(["test", path.join(folder, ...where), "--verbose"]).stdout
      .matchAll(/^ok (\w+)/gm)].map((match) => match[1]);
    assert.deepStrictEqual(names(), ["asks", "doubles"]);
    assert.deepStrictEqual(names("one"), ["asks"]);
    assert.deepStrictEqual(names("shared"), ["doubles"]);
    for (const where of ["", "one", "shared"])
      assert.match(moonwire(["check", path.join(folder, where), "--strict"]).stdout, /^ok: 1 app/);
    // What lies beside an app by chance is not looked through.
    fs.mkdirSync(path.join(folder, "shared/deep"));
    fs.renameSync(path.join(folder, "shared/twice.lua"), path.join(folder, "shared/deep/twice.lua"));
    fs.rmSync(path.join(folder, "shared/twice_test.lua"));
    assert.match(moonwire(["check", path.join(folder, "one")]).stdout, /module 'shared.twice' not found/);
    fs.rmSync(folder, { recursive: true });
  });

  it("does what the documents' example says", () => {
    const page = fs.readFileSync(path.join(__dirname, "../../scripts/README.md"), "utf8");
    const block = (start) => {
      const found = [...page.matchAll(/```lua\n([^`]*)```/g)].find((each) => each[1].startsWith(start));
      assert.ok(found, start);
      return found[1];
    };
    const result = run({
      "shop/stock.lua": 'local ns = namespace "/shop"\nlocal schema = require "schema"\n' + block("ns:use(function(socket)"),
      "shop/stock_test.lua": block("-- shop/stock_test.lua"),
    });
    assert.strictEqual(result.stdout, "2 passed, 0 failed\n");
  });
});
