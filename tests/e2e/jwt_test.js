"use strict";
// Tokens, by the plugin jwt: what socket.io-client and HTTP clients see with good, expired, forged, wrong-algorithm
// and rotated ones, and with one that expires while it is connected. Made by jsonwebtoken.

const assert = require("node:assert");
const crypto = require("node:crypto");
const fs = require("node:fs");
const http = require("node:http");
const path = require("node:path");
const test = require("node:test");
const jwt = require("jsonwebtoken");
const { io } = require("socket.io-client");
const { Broker, SANITIZED, moonwire, scriptsFolder } = require("./lib/broker");
const { event, until, within } = require("./lib/wait");

const SECRET = "a secret of more than thirty-two bytes";
const SCRIPT = `
local ns = namespace "/"
ns:require_auth { roles = { "driver", "admin" } }
ns:use(function(socket) socket.data.seen = socket.data.user.sub end)
ns:on("who", function(socket) return socket.data.user.sub, socket.data.seen end)
ns:on("refresh", function(socket, x)
  local done, why, code = socket:refresh(x)
  return done and true, why, code
end)
route("GET", "/admin", { roles = "admin" }, function(request) return 200, { sub = request.user.sub } end)
route("GET", "/whoever", { auth = "optional" }, function(request)
  return 200, { sub = request.user and request.user.sub or "nobody" }
end)
`;
// As lua-api.md has it: by hand.
const BY_HAND = `
local ns = namespace "/hand"
ns:use(function(socket)
  local claims = require("plugin.jwt").verify(socket.handshake.auth.token)
  socket.data.user = { id = claims.sub, type = claims.userType }
end)
ns:on("who", function(socket) return socket.data.user end)
`;

const start = (toml, options = {}) => Broker.start({
  scripts: { "app/main.lua": SCRIPT, "app/hand.lua": BY_HAND },
  toml: `[plugins]\nload = ["jwt"]\n[plugins.jwt]\n${toml}\n`, ...options,
});

const sign = (claims, options = {}, key = SECRET) =>
  jwt.sign({ sub: "u1", role: "driver", ...claims }, key, { ...(claims.exp ? {} : { expiresIn: 600 }), ...options });

const open = (t, broker, options, nsp = "") => {
  const socket = io(broker.url + nsp, { transports: ["websocket"], reconnection: false, forceNew: true, ...options });
  t.after(() => socket.close());
  return socket;
};
/// What refused it; null if it is in.
const outcome = (socket) => within(new Promise((resolve) => {
  socket.once("connect", () => resolve(null));
  socket.once("connect_error", resolve);
}), "connection");
async function connect(t, broker, options, nsp) {
  const socket = open(t, broker, options, nsp);
  const error = await outcome(socket);
  if (error) throw error;
  return socket;
}
/// The code and the message of the refusal.
async function refusal(t, broker, token, nsp) {
  const socket = open(t, broker, { auth: { token } }, nsp);
  const error = await outcome(socket);
  return [error.data && error.data.code, error.message];
}
const ask = (socket, ...args) => within(
  new Promise((resolve) => socket.emit(...args, (...answer) => resolve(answer))), `answer to ${args[0]}`);

test("a secret: who gets in, and who does not", async (t) => {
  const broker = await start(`secret = "${SECRET}"\nissuer = "us"\naudience = ["app", "web"]\nleeway_seconds = 2`);
  const good = { issuer: "us", audience: "app" };

  await t.test("by auth, by the query, or by the Authorization header", async (t) => {
    for (const options of [
      { auth: { token: sign({}, good) } },
      { query: { token: sign({}, good) } },
      { extraHeaders: { Authorization: `Bearer ${sign({}, good)}` } },
      { transports: ["polling"], extraHeaders: { authorization: `bearer ${sign({}, good)}` } },
    ]) {
      const socket = await connect(t, broker, options);
      assert.deepStrictEqual(await ask(socket, "who"), ["u1", "u1"]);
    }
  });

  await t.test("refusals have a code, are counted, and logged without the token", async (t) => {
    const bad = sign({}, good, "another secret of more than thirty-two bytes");
    const cases = [
      [undefined, "unauthorized", "no token"],
      ["nonsense", "unauthorized", "the token is malformed"],
      [sign({}, { ...good, expiresIn: -10 }), "token_expired", "the token has expired"],
      [bad, "unauthorized", "the token's signature does not hold"],
      [`${sign({}, good).slice(0, -3)}AAA`, "unauthorized", "the token's signature does not hold"],
      [sign({}, { ...good, algorithm: "HS512" }), "unauthorized", "no key is for this token"],
      [jwt.sign({ sub: "u1", role: "admin" }, null, { algorithm: "none", expiresIn: 600, ...good }),
        "unauthorized", "the token's algorithm is not allowed"],
      [sign({}, { ...good, issuer: "them" }), "unauthorized", "the token is of another issuer"],
      [sign({}, { ...good, audience: "others" }), "unauthorized", "the token is for another audience"],
      [sign({}, { ...good, notBefore: 60 }), "unauthorized", "the token is not valid yet"],
      [jwt.sign({ sub: "u1", role: "driver" }, SECRET, good), "unauthorized", "the token has no end"],
      [sign({ role: "passenger" }, good), "forbidden", "not for your role"],
    ];
    for (const [token, code, message] of cases) {
      assert.deepStrictEqual(await refusal(t, broker, token), [code, message]);
    }
    const stats = (await broker.stats()).scripts.find((each) => each.namespace === "/");
    assert.strictEqual(stats.tokens_refused, cases.length - 1);
    await broker.logged(/authentication failed address=127\.0\.0\.1 namespace=\/ detail=/);
    for (const part of bad.split(".")) assert.ok(!broker.stderr.includes(part));
    // Within the leeway.
    await connect(t, broker, { auth: { token: sign({ exp: Math.floor(Date.now() / 1000) - 1 }, good) } });
  });

  await t.test("a script may verify by hand", async (t) => {
    const socket = await connect(t, broker, { auth: { token: sign({ userType: "driver" }, good) } }, "/hand");
    assert.deepStrictEqual(await ask(socket, "who"), [{ id: "u1", type: "driver" }]);
    assert.deepStrictEqual(await refusal(t, broker, "nonsense", "/hand"), ["unauthorized", "the token is malformed"]);
    assert.deepStrictEqual(await refusal(t, broker, undefined, "/hand"), ["unauthorized", "no token"]);
  });

  await t.test("routes with roles", async () => {
    const get = async (where, token) => {
      const response = await fetch(broker.url + where, token && { headers: { authorization: `Bearer ${token}` } });
      return [response.status, await response.json()];
    };
    assert.deepStrictEqual(await get("/admin", sign({ role: "admin" }, good)), [200, { sub: "u1" }]);
    assert.deepStrictEqual(await get("/admin", sign({}, good)),
      [403, { error: { code: "forbidden", message: "not for your role" } }]);
    assert.deepStrictEqual(await get("/admin"), [401, { error: { code: "unauthorized", message: "no token" } }]);
    assert.deepStrictEqual(await get(`/whoever?token=${sign({}, good)}`), [200, { sub: "u1" }]);
    assert.deepStrictEqual(await get("/whoever"), [200, { sub: "nobody" }]);
    const refused = await fetch(`${broker.url}/admin`);
    assert.strictEqual(refused.headers.get("www-authenticate"), "Bearer");
  });
  await broker.stop();
});

test("a token that expires ends its connection, unless it is refreshed", async (t) => {
  const broker = await start(`secret = "${SECRET}"`);
  const short = () => sign({}, { expiresIn: SANITIZED ? 12 : 3 });
  const ending = await connect(t, broker, { auth: { token: short() } });
  const staying = await connect(t, broker, { auth: { token: short() } });
  const extended = await connect(t, broker, { auth: { token: short() } });
  const told = Promise.all([event(ending, "error"), event(ending, "disconnect")]);
  assert.deepStrictEqual(await ask(staying, "refresh", sign({})), [true, null, null]);
  assert.deepStrictEqual(await ask(extended, "refresh", Date.now() / 1000 + 600), [true, null, null]);
  assert.deepStrictEqual(await ask(staying, "refresh", sign({ sub: "u2" })),
    [null, "the token is another's", "unauthorized"]);
  const [[error], [reason]] = await told;
  assert.deepStrictEqual(error, { code: "token_expired", message: "the token has expired" });
  assert.strictEqual(reason, "io server disconnect");
  assert.ok(staying.connected && extended.connected);
  assert.deepStrictEqual(await ask(staying, "who"), ["u1", "u1"]);
  assert.strictEqual((await broker.stats()).scripts.find((each) => each.namespace === "/").tokens_expired, 1);
  await broker.stop();
});

test("several keys: PEM files, a JWK set that is written anew; a public key is never a secret", async (t) => {
  const rsa = crypto.generateKeyPairSync("rsa", { modulusLength: 2048 });
  const ec = crypto.generateKeyPairSync("ec", { namedCurve: "P-256" });
  const next = crypto.generateKeyPairSync("rsa", { modulusLength: 2048 });
  const ed = crypto.generateKeyPairSync("ed25519");
  const pem = rsa.publicKey.export({ type: "spki", format: "pem" });
  const jwk = (key, kid) => ({ ...key.publicKey.export({ format: "jwk" }), kid, use: "sig" });
  const broker = await start(`
jwks_file = "keys.json"
[[plugins.jwt.key]]
file = "rsa.pem"
[[plugins.jwt.key]]
file = "ed.pem"
[[plugins.jwt.key]]
id = "old"
secret_file = "secret.txt"
algorithm = "HS512"
`, {
    before: (folder) => {
      fs.writeFileSync(path.join(folder, "rsa.pem"), pem);
      fs.writeFileSync(path.join(folder, "ed.pem"), ed.publicKey.export({ type: "spki", format: "pem" }));
      fs.writeFileSync(path.join(folder, "secret.txt"), `${SECRET}\n`);
      fs.writeFileSync(path.join(folder, "keys.json"), JSON.stringify({ keys: [jwk(ec, "e1")] }));
    },
  });
  await connect(t, broker, { auth: { token: sign({}, { algorithm: "RS256" }, rsa.privateKey) } });
  await connect(t, broker, { auth: { token: sign({}, { algorithm: "ES256", keyid: "e1" }, ec.privateKey) } });
  await connect(t, broker, { auth: { token: sign({}, { algorithm: "HS512", keyid: "old" }) } });

  // jsonwebtoken does not make these.
  const encode = (value) => Buffer.from(JSON.stringify(value)).toString("base64url");
  const text = `${encode({ alg: "EdDSA" })}.${encode({ sub: "u1", role: "driver", exp: 4e9 })}`;
  const signature = crypto.sign(null, Buffer.from(text), ed.privateKey);
  await connect(t, broker, { auth: { token: `${text}.${signature.toString("base64url")}` } });
  signature[0] ^= 1;
  assert.deepStrictEqual(await refusal(t, broker, `${text}.${signature.toString("base64url")}`),
    ["unauthorized", "the token's signature does not hold"]);
  const body = `${encode({ alg: "HS256", typ: "JWT" })}.${encode({ sub: "u1", role: "admin", exp: 4e9 })}`;
  const confused = `${body}.${crypto.createHmac("sha256", pem).update(body).digest("base64url")}`;
  assert.deepStrictEqual(await refusal(t, broker, confused), ["unauthorized", "no key is for this token"]);
  const rotated = sign({}, { algorithm: "RS256", keyid: "n1" }, next.privateKey);
  assert.strictEqual((await refusal(t, broker, rotated))[0], "unauthorized");

  broker.write("keys.json", JSON.stringify({ keys: [jwk(next, "n1")] }));
  await until(async () => {
    const socket = open(t, broker, { auth: { token: rotated } });
    const error = await outcome(socket);
    socket.close();
    return !error;
  }, "the new key");
  assert.deepStrictEqual(await refusal(t, broker, sign({}, { algorithm: "ES256", keyid: "e1" }, ec.privateKey)),
    ["unauthorized", "no key is for this token"]);
  await broker.stop();
});

test("a JWKS URL is asked when a key is missing", async (t) => {
  const pairs = { a: crypto.generateKeyPairSync("rsa", { modulusLength: 2048 }), b: crypto.generateKeyPairSync("rsa", { modulusLength: 2048 }) };
  let served = ["a"];
  let asked = 0;
  const server = http.createServer((request, response) => {
    asked += 1;
    response.setHeader("content-type", "application/json");
    response.end(JSON.stringify({ keys: served.map((kid) => ({ ...pairs[kid].publicKey.export({ format: "jwk" }), kid })) }));
  });
  await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve));
  t.after(() => server.close());
  const broker = await start(`jwks_url = "http://127.0.0.1:${server.address().port}/keys"\naudience = "app"`);
  const token = (kid) => sign({}, { algorithm: "RS256", keyid: kid, audience: "app" }, pairs[kid].privateKey);
  assert.strictEqual(asked, 0);
  await Promise.all(Array.from({ length: 20 }, () => connect(t, broker, { auth: { token: token("a") } })));
  assert.strictEqual(asked, 1);
  served = ["a", "b"];
  await until(async () => {  // a missing key is asked for at most every ten seconds
    const socket = open(t, broker, { auth: { token: token("b") } });
    const error = await outcome(socket);
    socket.close();
    return !error;
  }, "the new key");
  assert.strictEqual(asked, 2);
  await broker.stop();
});

test("scripts sign tokens; without a key one is made up, with a warning", async (t) => {
  const script = `${SCRIPT}
local jwt = require "plugin.jwt"
route("GET", "/token/:sub", function(request)
  return 200, { token = jwt.sign({ sub = request.params.sub, role = "driver" }, tonumber(request.query.seconds or "600")) }
end)
`;
  const token = async (broker, path) => (await fetch(broker.url + path)).json();
  for (const [toml, warning] of [
    ["", /no key is set, so one was made up/], ['secret = "${SURELY_NOT_SET:-}"', /no key is set/], [`secret = "${SECRET}"`, null],
  ]) {
    const broker = await start(toml, { scripts: { "app/main.lua": script } });
    const made = await token(broker, "/token/u7");
    const socket = await connect(t, broker, { auth: made });
    assert.deepStrictEqual(await ask(socket, "who"), ["u7", "u7"]);
    assert.deepStrictEqual(await token(broker, "/token/u7?seconds=-1"), { error: {
      code: "invalid", message: "seconds must be a number above 0, and at most ten years" } });
    assert.strictEqual((broker.stderr.match(/one was made up/g) || []).length, warning ? 1 : 0);
    if (warning) {
      assert.match(broker.stderr, warning);
      assert.deepStrictEqual(await refusal(t, broker, sign({})), ["unauthorized", "the token's signature does not hold"]);
    } else {
      assert.strictEqual(jwt.verify(made.token, SECRET).sub, "u7");
    }
    await broker.stop();
  }
});

test("what is wrong with the settings is told by moonwire check, with its line", () => {
  const folder = scriptsFolder({ "main.lua": 'local ns = namespace "/"', "bad.pem": "nonsense" });
  for (const [toml, line, what] of [
    ['[plugins.jwt]\nsecret = ""\nid = "a"', 5, /plugins\.jwt\.id: there is no secret, secret_file or file beside it/],
    ['[plugins.jwt]\nfile = "bad.pem"', 4, /plugins\.jwt\.file: ".*bad\.pem": neither a public key nor a certificate/],
    ['[plugins.jwt]\nfile = "missing.pem"', 4, /missing\.pem" can't be read/],
    ['[plugins.jwt]\nsecret = "x"\nalgorithm = "none"', 5, /plugins\.jwt\.algorithm: expected HS256, /],
    ['[plugins.jwt]\nsecret = "x"\nalgorithm = "RS256"', 4, /plugins\.jwt\.secret: the key is none for RS256/],
    ['[plugins.jwt]\nsecret = "x"\nfile = "y"', 3, /plugins\.jwt: expected one of secret, secret_file and file/],
    ['[plugins.jwt]\njwks_url = "ftp://x"', 4, /expected an https/],
    ['[plugins.jwt]\nsecret = "x"\n[[plugins.jwt.key]]\nid = "a"', 5, /plugins\.jwt\.key\[1\]: expected one of/],
    ['[plugins.jwt]\nsecret = "x"\nleeway = 5', 5, /plugins\.jwt\.leeway: unknown setting/],
  ]) {
    fs.writeFileSync(path.join(folder, "moonwire.toml"), `[plugins]\nload = ["jwt"]\n${toml}\n`);
    const check = moonwire(["check", folder]);
    assert.strictEqual(check.status, 1, toml);
    assert.match(check.stdout, what);
    assert.match(check.stdout, new RegExp(`moonwire\\.toml:${line}: plugins\\.jwt`), toml);
  }
  fs.rmSync(folder, { recursive: true });
});

test("in moonwire test a client is a user, or brings a token", () => {
  const folder = scriptsFolder({
    "main.lua": SCRIPT,
    "main_test.lua": `
      describe("tokens", function()
        it("lets a user in", function()
          local a = connect("/", { user = { sub = "u7", role = "driver" }, auth = { device = "d" } })
          expect(a:call("who")).to_equal("u7")
          local status, body = request("GET", "/admin", { user = { sub = "u8", role = "admin" } })
          expect(status).to_equal(200)
          expect(body).to_equal { sub = "u8" }
        end)
        it("puts out who has expired", function()
          local a = connect("/", { user = { sub = "u7", role = "driver", exp = now() + 60 } })
          advance(61)
          expect(a:received("error")).to_match { { code = "token_expired" } }
          expect(a.connected).to_equal(false)
        end)
        it("refuses others", function()
          local nobody, refusal = connect("/")
          expect(refusal.data.code).to_equal("unauthorized")
          nobody, refusal = connect("/", { auth = { token = "forged" } })
          expect(refusal.message).to_equal("the token is malformed")
          nobody, refusal = connect("/", { user = { role = "passenger" } })
          expect(refusal.data.code).to_equal("forbidden")
        end)
      end)`,
    "moonwire.toml": `[plugins]\nload = ["jwt"]\n[plugins.jwt]\nsecret = "${SECRET}"\n`,
  });
  const run = moonwire(["test", folder]);
  assert.match(run.stdout, /3 passed, 0 failed/, run.stdout + run.stderr);
  fs.rmSync(folder, { recursive: true });
});
