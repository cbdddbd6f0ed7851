"use strict";
// plugins/README.md, followed to the letter: Moonwire installed somewhere, its plugin built out of the tree by
// pkg-config, loaded and called. And what else `meson install` leaves where.

const assert = require("node:assert");
const { execFileSync, spawnSync } = require("node:child_process");
const fs = require("node:fs");
const os = require("node:os");
const path = require("node:path");
const test = require("node:test");
const { io } = require("socket.io-client");
const { Broker, BINARY, ROOT, SANITIZED, environment } = require("./lib/broker");
const { event, within } = require("./lib/wait");

const README = fs.readFileSync(path.join(ROOT, "plugins/README.md"), "utf8");

/// The files that the document's blocks name in their first line, a comment.
function files() {
  const found = {};
  for (const [, text] of README.matchAll(/^```\w+\n([^]*?)^```$/gm)) {
    const name = /^(?:\/\/|#|--) ([\w.]+)\n/.exec(text);
    if (name) found[name[1]] = text;
  }
  return found;
}

/// What the README's plugin makes of it: FNV-1a.
function fingerprint(text) {
  let hash = 14695981039346656037n;
  for (const byte of Buffer.from(text)) hash = BigInt.asUintN(64, (hash ^ BigInt(byte)) * 1099511628211n);
  return String(hash);
}

function find(folder, pattern) {
  return fs.readdirSync(folder, { recursive: true }).filter((each) => pattern.test(each)).sort();
}

// A plugin of the README's build would lack the sanitizer.
test("an installed Moonwire, and a plugin built with it", { skip: SANITIZED }, async (t) => {
  const root = fs.mkdtempSync(path.join(os.tmpdir(), "moonwire-install-"));
  t.after(() => fs.rmSync(root, { recursive: true, force: true }));
  execFileSync("meson", ["install", "-C", path.dirname(BINARY), "--no-rebuild", "--quiet", "--destdir", root],
    { stdio: ["ignore", "ignore", "inherit"], env: environment() });
  const binary = path.join(root, find(root, /(^|\/)bin\/moonwire$/)[0]);
  const prefix = path.dirname(path.dirname(binary));

  await t.test("everything is where it belongs, below the prefix", () => {
    for (const file of [
      "include/moonwire/plugin/plugin.hpp", "include/moonwire/plugin/settings.hpp",
      "share/moonwire/annotations/moonwire.lua",
      "share/moonwire/metrics/alerts.yml", "share/moonwire/metrics/grafana.json", "lib/systemd/system/moonwire.service",
    ]) assert.ok(fs.existsSync(path.join(prefix, file)), file);
    assert.strictEqual(find(prefix, /man1\/moonwire\.1(\.gz)?$/).length, 1);
    assert.strictEqual(find(prefix, /pkgconfig\/moonwire-plugin\.pc$/).length, 1);
    const unit = fs.readFileSync(path.join(prefix, "lib/systemd/system/moonwire.service"), "utf8");
    assert.strictEqual(/^ExecStart=(\S+) run /m.exec(unit)[1], binary.slice(root.length));
    // As systemd reads it, with the binary where it is now.
    const copy = path.join(root, "moonwire.service");
    fs.writeFileSync(copy, unit.replace(/^(ExecStart=)\S+/m, `$1${binary}`));
    const verified = spawnSync("systemd-analyze", ["verify", "--man=no", copy], { encoding: "utf8" });
    if (!verified.error) assert.deepStrictEqual([verified.status, verified.stderr], [0, ""]);
    // Every header that one of the api's includes is there.
    const headers = fs.readdirSync(path.join(prefix, "include/moonwire/plugin"));
    for (const header of headers) {
      const text = fs.readFileSync(path.join(prefix, "include/moonwire/plugin", header), "utf8");
      for (const [, name] of text.matchAll(/#include "(.*)"/g)) assert.ok(headers.includes(name), name);
    }
  });

  await t.test("the README's plugin is built, loaded, and called by its script", async () => {
    const folder = path.join(root, "example");
    fs.mkdirSync(folder);
    const named = files();
    assert.deepStrictEqual(Object.keys(named).sort(), ["build.sh", "fingerprint.cpp", "main.lua", "moonwire.toml"]);
    for (const [name, text] of Object.entries(named)) fs.writeFileSync(path.join(folder, name), text);
    const pkgconfig = path.join(prefix, path.dirname(find(prefix, /moonwire-plugin\.pc$/)[0]));
    const env = environment({ PKG_CONFIG_PATH: pkgconfig, PKG_CONFIG_SYSROOT_DIR: root });
    execFileSync("sh", ["build.sh"], { cwd: folder, env, stdio: ["ignore", "inherit", "inherit"] });
    const check = execFileSync(binary, ["check", folder], { env, encoding: "utf8" });
    assert.match(check, /^ok: 1 app/);

    const broker = await Broker.start({ binary, scripts: {}, before: (to) => fs.cpSync(folder, to, { recursive: true }) });
    const socket = io(broker.url, { transports: ["websocket"], reconnection: false });
    t.after(() => socket.close());
    await event(socket, "connect");
    const ask = (data) => within(socket.emitWithAck("fingerprint", data), "fingerprint");
    assert.strictEqual(await ask(Buffer.from("moon")), fingerprint("moon"));
    assert.deepStrictEqual(await ask(Buffer.alloc(2000)),
      { error: { code: "too_large", message: "too large", data: { limit: 1000 } } });
    assert.deepStrictEqual(await ask("text"), { error: { code: "invalid", message: "bytes expected" } });
    assert.strictEqual(await (await fetch(`${broker.url}/fingerprints`)).text(), "1 made\n");
    socket.close();
    await broker.stop();
    assert.match(broker.stderr, /fingerprints plugin=fingerprint made=1/);
  });
});
