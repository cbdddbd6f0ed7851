// A wall display (#wall), which anybody may see, and the staff's dashboard (#staff). Both are ordinary
// clients: they join the document's rooms and call its paths. `?token=…` is a token of the staff's;
// without one the page says that it is an admin, as clients may where tokens are not required.

const ROLE = "admin";
const CALLED_MS = 4000;  // that a new number stays lit
const NEWS = 6;
const token = new URLSearchParams(location.search).get("token");
const $ = (id) => document.getElementById(id);

/// What there is to show; tests look at it.
const office = (window.office = { queues: [], calls: new Map(), metrics: null });

/// An element with children: texts and elements, never markup.
function make(name, attributes = {}, ...children) {
  const element = document.createElement(name);
  Object.assign(element, attributes);
  element.append(...children);
  return element;
}

function hint(text) {
  $("hint").textContent = text;
  $("hint").hidden = !text;
}

function status(state, text) {
  $("status").dataset.state = state;
  $("status").textContent = text;
}

function minutes(seconds) {
  if (seconds < 1) return "no wait";
  return seconds < 60 ? `${Math.round(seconds)} s` : `${Math.round(seconds / 60)} min`;
}

/// Calls one of the broker's paths; returns its body, or throws with what it says.
async function call(method, path, body) {
  const headers = token ? { authorization: `Bearer ${token}` } : { "x-user-role": ROLE };
  if (body) headers["content-type"] = "application/json";
  const response = await fetch(path, { method, headers, body: body && JSON.stringify(body) });
  const answer = await response.json();
  if (!response.ok) throw new Error(answer.error.message);
  return answer;
}

/// `work` soon, and never twice at once, however often it is asked for.
function lazily(work, pause = 250) {
  let asked = false, running = false;
  return async function again() {
    asked = true;
    if (running) return;
    running = true;
    while (asked) {
      asked = false;
      await work().catch(() => {});  // the broker is away; its return asks again
      await new Promise((resolve) => setTimeout(resolve, pause));
    }
    running = false;
  };
}

// The wall.

function drawWall() {
  const lit = Date.now() - CALLED_MS;
  const calls = [...office.calls.values()].sort((a, b) => a.name.localeCompare(b.name, undefined, { numeric: true }));
  $("serving").replaceChildren(...calls.map(({ name, number, service, at }) => make(
    "li", { className: number ? (at > lit ? "called" : "") : "free" },
    make("span", {}, name), make("b", {}, number || "—"), make("small", {}, number ? service : "free"))));
  $("queues").replaceChildren(...office.queues.map((queue) => make(
    "li", {},
    make("div", {}, make("span", {}, queue.serviceType), make("span", {}, `${queue.waiting} waiting`)),
    make("small", {}, `wait ${minutes(queue.estimatedWaitSeconds)}`.replace("wait no", "no"),
      queue.tickets.length ? ` · next ${queue.tickets.slice(0, 4).map((each) => each.ticketNumber).join(", ")}` : ""))));
  $("services").replaceChildren(...office.queues.map((queue) => make("option", { value: queue.serviceType })));
}

const readQueues = lazily(async () => {
  const { queues } = await call("GET", "/queues");
  for (const { serviceType } of queues) {
    if (!office.queues.some((each) => each.serviceType === serviceType)) socket.emit("joinServiceQueue", { serviceType });
  }
  office.queues = queues;
  const serving = new Map(queues.flatMap((queue) => queue.nowServing).map((ticket) => [ticket.counterId, ticket]));
  for (const [id, shown] of office.calls) if (!serving.has(id)) shown.number = null;
  for (const [id, { counterName, ticketNumber, serviceType, servedAt }] of serving) {
    office.calls.set(id, { name: counterName, number: ticketNumber, service: serviceType, at: Date.parse(servedAt) });
  }
  drawWall();
});

$("take").addEventListener("submit", async (event) => {
  event.preventDefault();
  const serviceType = $("take").service.value;
  const userId = (sessionStorage.user ||= `visitor-${Math.random().toString(36).slice(2)}`);
  try {
    const ticket = await call("POST", "/tickets", { serviceType, userId });
    $("taken").textContent = `${ticket.ticketNumber}: number ${ticket.position} in line, ${minutes(ticket.estimatedWaitSeconds)}`;
    $("take").reset();
  } catch (error) {
    $("taken").textContent = error.message;
  }
  readQueues();
});

// The staff's dashboard.

function cells(...values) {
  return values.map((value) => (value instanceof HTMLTableCellElement ? value : make("td", {}, value)));
}

function bar(share, text) {
  const fill = make("i");
  fill.style.width = `${Math.round(share * 100)}%`;
  return make("td", {}, make("span", { className: "bar" }, fill), text);
}

function button(text, work) {
  return make("button", { onclick: () => work().then(() => hint(""), (error) => hint(error.message)) }, text);
}

function work(counter) {
  const set = (state) => () => call("PATCH", `/counters/${encodeURIComponent(counter.counterId)}`, { status: state });
  const end = (how) => () => call("POST", `/tickets/${counter.ticketId}/${how}`);
  const { nextTicketId: next, counterId } = counter;
  const buttons = counter.status === "busy" ? [button("Done", end("complete")), button("No show", end("cancel"))]
    : counter.status === "open" ? [
      ...(next ? [button("Call", () => call("POST", `/tickets/${next}/serve`, { counterId }))] : []),
      button("Pause", set("paused"))]
    : [button("Open", set("open"))];
  return make("td", { className: "work" }, ...buttons);
}

function drawStaff() {
  const metrics = office.metrics;
  if (!metrics) return;
  $("waiting").textContent = metrics.totalWaiting;
  $("being-served").textContent = metrics.totalServing;
  $("open").textContent = metrics.openCounters;
  $("connected").textContent = metrics.connectedClients;
  const most = Math.max(1, ...metrics.services.map((each) => each.waiting));
  $("loads").replaceChildren(...metrics.services.map((each) => make("tr", {}, ...cells(
    each.serviceType, bar(each.waiting / most, each.waiting), minutes(each.longestWaitSeconds),
    minutes(each.estimatedWaitSeconds), minutes(each.averageServiceSeconds), String(each.completed)))));
  $("counters").replaceChildren(...metrics.counters.map((each) => make("tr", {}, ...cells(
    each.name, make("td", { className: `state ${each.status}` }, each.status), each.ticketNumber || "",
    bar(each.load, `${Math.round(each.load * 100)} %`), String(each.served),
    each.nextTicketNumber ? `${each.nextTicketNumber} ${each.nextService}` : "", work(each)))));
}

function news(text) {
  const entry = make("li", {}, make("time", {}, new Date().toLocaleTimeString()), text);
  $("news").prepend(entry);
  while ($("news").children.length > NEWS) $("news").lastChild.remove();
}

/// The counters' advice changes with every ticket, sooner than the next metrics come.
const readCounters = lazily(async () => {
  if (!office.metrics || !isStaff()) return;
  office.metrics.counters = (await call("GET", "/counters")).counters;
  office.metrics.openCounters = office.metrics.counters.filter(({ status }) => /open|busy/.test(status)).length;
  drawStaff();
});

function queueUpdated(queue) {
  const known = office.metrics?.services.find((each) => each.serviceType === queue.serviceType);
  if (known) {
    Object.assign(known, queue);
    office.metrics.totalWaiting = office.metrics.services.reduce((sum, each) => sum + each.waiting, 0);
    office.metrics.totalServing = office.metrics.services.reduce((sum, each) => sum + each.serving, 0);
    drawStaff();
  } else if (office.metrics) {
    joinDashboard();  // it is new: joining brings all figures
  }
  readCounters();
}

// Both.

let socket;

const isStaff = () => location.hash === "#staff";

/// Only the staff's view needs it, and not everybody may.
function joinDashboard() {
  if (!isStaff() || !socket?.connected) return;
  socket.emit("joinDashboard", { userRole: ROLE, userId: "the-page" }, (answer) => {
    hint(answer.success ? "" : `Not let in to the dashboard: ${answer.error}. Staff open ?token=… with their token.`);
  });
}

function connect() {
  socket = io("/tickets", { reconnectionDelay: 500, reconnectionDelayMax: 2000, auth: token ? { token } : {} });
  socket.on("connect", () => {
    status("live", "live");
    office.queues = [];
    readQueues();
    joinDashboard();
  });
  socket.on("disconnect", () => status("away", "reconnecting"));
  socket.on("connect_error", (error) => { if (!socket.active) hint(`Not let in: ${error.message}`); });
  socket.io.on("reconnect_attempt", () => status("away", "reconnecting"));

  socket.on("ticketCreated", (ticket) => news(`${ticket.ticketNumber} waits for ${ticket.serviceType}`));
  socket.on("ticketServing", (ticket) => news(`${ticket.ticketNumber} is called to ${ticket.counterName}`));
  socket.on("ticketCompleted", (ticket) => news(`${ticket.ticketNumber} is done after ${minutes(ticket.serviceSeconds)}`));
  socket.on("ticketCancelled", (ticket) => news(`${ticket.ticketNumber} is ${ticket.status}`));
  socket.on("counterStatusChange", (counter) => {
    if (counter.previousStatus !== counter.status && !/busy/.test(counter.status + counter.previousStatus)) {
      news(`${counter.name} is ${counter.status}`);
    }
    readCounters();
  });
  socket.on("queueUpdated", (queue) => {
    readQueues();
    queueUpdated(queue);
  });
  socket.on("loadBalancingMetrics", (metrics) => {
    office.metrics = metrics;
    drawStaff();
    readQueues();  // new services, too
  });
  setInterval(readQueues, 10000);
  setInterval(drawWall, 1000);  // what was lit goes out
}

function show() {
  const staff = isStaff();
  $("wall").hidden = staff;
  $("staff").hidden = !staff;
  joinDashboard();
  for (const link of document.querySelectorAll("nav a")) {
    link.toggleAttribute("aria-current", (link.hash === "#staff") === staff);
  }
}
window.addEventListener("hashchange", show);
show();

if (window.io) connect();
else hint("This broker does not serve the Socket.IO client (/socket.io/socket.io.js): set server.client_bundle.");
