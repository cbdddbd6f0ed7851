// End-to-end encryption with WebCrypto: ECDH on P-256, HKDF, AES-GCM. The private key is made here,
// can't be exported, and never leaves this browser; the broker has the public one.

const me = identity();
const at = (id) => document.getElementById(id);
const socket = connect(me, at("state"));

const toBase64 = (buffer) => btoa(String.fromCharCode(...new Uint8Array(buffer)));
const fromBase64 = (text) => Uint8Array.from(atob(text), (c) => c.charCodeAt(0));
const CURVE = { name: "ECDH", namedCurve: "P-256" };

// This user's key pair -------------------------------------------------------------------------

/// Runs `fn(store)` in the browser's database and returns its request's result.
function inDatabase(mode, fn) {
  return new Promise((resolve, reject) => {
    const open = indexedDB.open("gateway-keys", 1);
    open.onupgradeneeded = () => open.result.createObjectStore("pairs");
    open.onerror = () => reject(open.error);
    open.onsuccess = () => {
      const request = fn(open.result.transaction("pairs", mode).objectStore("pairs"));
      request.onsuccess = () => resolve(request.result);
      request.onerror = () => reject(request.error);
    };
  });
}

async function ownPair() {
  const kept = await inDatabase("readonly", (pairs) => pairs.get(me.userId));
  if (kept) return kept;
  const pair = await crypto.subtle.generateKey(CURVE, false, ["deriveKey", "deriveBits"]);
  await inDatabase("readwrite", (pairs) => pairs.put(pair, me.userId));
  return pair;
}

/// A short number for people to compare, of a public key.
async function fingerprint(jwk) {
  const hash = await crypto.subtle.digest("SHA-256", new TextEncoder().encode(`${jwk.x}.${jwk.y}`));
  return [...new Uint8Array(hash).slice(0, 8)].map((byte) => byte.toString().padStart(3, "0")).join(" ");
}

// What two users share -------------------------------------------------------------------------

/// The key for messages between this user and the owner of a public key.
async function sharedKey(pair, theirs, otherId) {
  const publicKey = await crypto.subtle.importKey("jwk", theirs, CURVE, false, []);
  const secret = await crypto.subtle.deriveBits({ name: "ECDH", public: publicKey }, pair.privateKey, 256);
  const material = await crypto.subtle.importKey("raw", secret, "HKDF", false, ["deriveKey"]);
  const info = new TextEncoder().encode(["gateway", ...[me.userId, otherId].sort()].join("\n"));
  return crypto.subtle.deriveKey({ name: "HKDF", hash: "SHA-256", salt: new Uint8Array(32), info }, material,
    { name: "AES-GCM", length: 256 }, false, ["encrypt", "decrypt"]);
}

/// Binds a message to who sent it to whom: the broker can't pass it off as another's.
const bound = (from, to) => new TextEncoder().encode(`${from}\n${to}`);

async function encrypt(key, text, to) {
  const iv = crypto.getRandomValues(new Uint8Array(12));
  const ciphertext = await crypto.subtle.encrypt(
    { name: "AES-GCM", iv, additionalData: bound(me.userId, to) }, key, new TextEncoder().encode(text));
  return { ciphertext: toBase64(ciphertext), iv: toBase64(iv) };
}

async function decrypt(key, message) {
  const clear = await crypto.subtle.decrypt(
    { name: "AES-GCM", iv: fromBase64(message.iv), additionalData: bound(message.from, message.to) },
    key, fromBase64(message.ciphertext));
  return new TextDecoder().decode(clear);
}

// The page -------------------------------------------------------------------------------------

const shown = new Map();  // user -> the fingerprint's element

async function showKey(userId, jwk) {
  const number = await fingerprint(jwk);
  let entry = shown.get(userId);
  if (!entry) {
    entry = append(at("keys"), element("div", "entry"));
    shown.set(userId, entry);
  } else if (entry.dataset.number !== number) {
    entry.classList.add("error");  // it is not the key that it was
  }
  entry.dataset.number = number;
  entry.replaceChildren(element("b", "", userId), element("span", "cipher", number));
}

async function keyWith(pair, otherId) {
  const { publicKey } = await ask(socket, "get_key", { userId: otherId });
  await showKey(otherId, publicKey);
  return sharedKey(pair, publicKey, otherId);
}

function say(who, text, own) {
  const card = element("article");
  if (!own) card.append(element("div", "who", who));
  card.append(element("div", own ? "asked" : "answer", text));
  append(at("chat"), card);
}

function problem(text) {
  at("problem").textContent = text;
  at("problem").hidden = !text;
}

const wire = (message) => append(at("wire"), element("div", "entry cipher", JSON.stringify(message)));

const ready = ownPair().then(async (pair) => {
  const jwk = await crypto.subtle.exportKey("jwk", pair.publicKey);
  const publicKey = { kty: jwk.kty, crv: jwk.crv, x: jwk.x, y: jwk.y };
  await showKey(me.userId, publicKey);
  return { pair, publicKey, keyId: (await fingerprint(publicKey)).replaceAll(" ", "") };
});
ready.catch((error) => problem(`no key: ${error.message}`));

socket.on("connect", async () => {
  const { publicKey, keyId } = await ready;
  await ask(socket, "publish_key", { publicKey, keyId }).catch((error) => problem(error.message));
  at("write").querySelector("button").disabled = false;
});
socket.on("disconnect", () => { at("write").querySelector("button").disabled = true; });

at("write").onsubmit = async (event) => {
  event.preventDefault();
  const to = at("to").value.trim();
  const words = at("words").value.trim();
  problem("");
  try {
    const { pair, keyId } = await ready;
    const message = { to, keyId, ...(await encrypt(await keyWith(pair, to), words, to)) };
    wire(message);
    await ask(socket, "encrypted_message", message);
    say(me.userId, words, true);
    at("words").value = "";
  } catch (error) {
    problem(error.message);
  }
};

socket.on("encrypted_message", async (message, acknowledge) => {
  acknowledge?.(true);
  wire(message);
  try {
    const { pair } = await ready;
    say(message.from, await decrypt(await keyWith(pair, message.from), message), false);
    if (!at("to").value) at("to").value = message.from;
  } catch (error) {
    problem(`A message of ${message.from} can't be read: ${error.message}`);
  }
});
