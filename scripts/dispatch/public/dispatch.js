// The dispatcher's board: an ordinary client that shows what it hears.
import { Board, kind } from "./board.js";
import { BoardMap } from "./map.js";

const API = "/api/socket-bridge";
const PAGE = 200; // the most that a list gives at once
const CONFIRMED = 12; // assignments that are shown

const element = (id) => document.getElementById(id);
const board = new Board();
new BoardMap(element("map"), board);
globalThis.board = board; // for the console, and for tests

let token, socket;

function status(state, text = state) {
  element("status").dataset.state = state;
  element("status").textContent = text;
}

/// Asks for a token: the demo's, or the visitor's own.
async function find_token() {
  const response = await fetch("token").catch(() => null);
  if (response?.ok) return (await response.json()).token;
  return new URLSearchParams(location.hash.slice(1)).get("token");
}

function sign_in(refusal = "") {
  element("sign-in").hidden = false;
  element("refusal").textContent = refusal;
  status("off", "signed out");
}

/// All pages of a list.
async function list(path) {
  const items = [];
  for (let after; ;) {
    const query = new URLSearchParams({ limit: PAGE, ...(after ? { after } : {}) });
    const response = await fetch(`${API}${path}${path.includes("?") ? "&" : "?"}${query}`,
      { headers: { authorization: `Bearer ${token}` } });
    if (!response.ok) return items; // not for this role
    const page = await response.json();
    items.push(...page.items);
    if (!page.next) return items;
    after = page.next.after;
  }
}

async function load() {
  const [units, incidents, assignments] = await Promise.all(
    [list("/units"), list("/incidents?open=true"), list("/assignments")]);
  board.replace("units", "unitId", units);
  board.replace("incidents", "incidentId", incidents);
  board.replace("assignments", "assignmentId",
    assignments.filter((each) =>
      each.state !== "closed" && incidents.some((one) => one.incidentId === each.incidentId)));
  draw();
}

function card(className, title, side, lines) {
  const item = document.createElement("li");
  item.className = `card ${className}`;
  const head = document.createElement("b");
  head.append(title, Object.assign(document.createElement("span"), { textContent: side }));
  item.append(head, ...lines.filter(Boolean).map((text) =>
    Object.assign(document.createElement("p"), { textContent: text })));
  return item;
}

function fill(id, cards) {
  const none = Object.assign(document.createElement("li"), { className: "none", textContent: "none" });
  element(id).replaceChildren(...(cards.length ? cards : [none]));
}

const time = (text) => (text ? new Date(text).toLocaleTimeString() : "");

function assignment_card(assignment) {
  const is_open = assignment.state !== "confirmed";
  const how = !is_open ? time(assignment.confirmedAt) : assignment.state === "unconfirmed" ? "no answer"
    : assignment.reachable === false ? "not reached" : `sent ${assignment.sends} ×`;
  const item = card(is_open ? "waiting" : "available", assignment.unitId, how,
    [assignment.incident?.type, assignment.incident?.address, !is_open && `by ${assignment.confirmedBy}`]);
  item.dataset.assignment = assignment.assignmentId;
  if (is_open) {
    const button = Object.assign(document.createElement("button"), { textContent: "Confirmed by radio" });
    button.onclick = () => socket.emit("assignment:received", { assignmentId: assignment.assignmentId });
    item.append(button);
  }
  return item;
}

let drawing = false;
/// Once a frame, however much is heard.
function draw() {
  if (drawing) return;
  drawing = true;
  requestAnimationFrame(() => {
    drawing = false;
    fill("incidents", board.sorted("incidents", (each) => `${each.priority ?? 9}${each.createdAt ?? ""}`).map((each) =>
      card(each.priority <= 2 ? "urgent" : "", each.type ?? each.incidentId, each.status ?? "",
        [each.address, `${each.incidentId}${each.priority ? `, priority ${each.priority}` : ""}`])));
    const assignments = board.sorted("assignments", (each) => each.sentAt);
    fill("pending", assignments.filter((each) => each.state !== "confirmed").map(assignment_card));
    const confirmed = assignments.filter((each) => each.state === "confirmed").reverse();
    fill("confirmed", confirmed.slice(0, CONFIRMED).map(assignment_card));
    fill("units", board.sorted("units", (each) => each.unitId).map((each) =>
      card(kind(each), each.unitId, each.status ?? "", [each.incidentId])));
    element("open").textContent = board.incidents.size;
    element("free").textContent = `${board.free} of ${board.units.size}`;
    const seconds = board.metrics.meanResponseSeconds;
    element("response").textContent = seconds ? `${seconds} s` : "–";
  });
}

async function health() {
  const response = await fetch(`${API}/health`).catch(() => null);
  if (!response?.ok) return;
  const { bridge, billing } = await response.json();
  element("bridge").textContent = bridge.state;
  element("bills").textContent = billing.waiting;
}

function connect() {
  socket?.disconnect();
  socket = io("/dispatch", { auth: { token }, reconnectionDelay: 300, reconnectionDelayMax: 2000 });
  socket.on("connect", () => {
    element("sign-in").hidden = true;
    status("live");
    load().catch(() => {});
  });
  socket.on("disconnect", async (reason) => {
    status("away", "reconnecting");
    if (reason !== "io server disconnect") return;
    // The broker ends, or the token has; the client would take it for the last word.
    setTimeout(renew, 300);
  });
  socket.on("connect_error", (error) => {
    if (!error.data?.code) return status("away", "reconnecting");
    if (/^(unauthorized|token_expired)$/.test(error.data.code)) return setTimeout(renew, 1000, error.message);
    sign_in(error.message);
  });
  const heard = {
    "unit:location:updated": (data) => board.moved(data),
    "unit:status:updated": (data) => board.statusOfUnit(data),
    "incident:new": (data) => board.change("incidents", data.incidentId, { ...data, createdAt: data.timestamp }),
    "incident:status:updated": (data) => board.statusOfIncident(data),
    "assignment:updated": (data) => board.assigned(data),
    "metrics:updated": (data) => { board.metrics = data.metrics; },
  };
  for (const [event, take] of Object.entries(heard)) socket.on(event, (data) => { take(data); draw(); });
}

/// With a new token of the demo, or the visitor's.
async function renew(refusal) {
  const found = await find_token();
  if (refusal && (!found || found === token)) return sign_in(refusal);
  token = found ?? token;
  if (!token) return sign_in();
  connect();
}

element("sign-in").onsubmit = (event) => {
  event.preventDefault();
  token = element("token").value.trim();
  connect();
};
setInterval(health, 3000);
health();
renew();
