// A dashboard of the transit app: an ordinary client that shows what it hears.
import { City } from "./city.js";
import { CityMap } from "./map.js";

const NEWS = 7; // lines
const RADIUS = 10000, SEATS = 200; // metres and commuters: the most that a query may ask for
const show = (id, text) => { document.getElementById(id).textContent = text; };

const city = new City();
const map = new CityMap(document.getElementById("map"), city);
globalThis.city = city; // for the console, and for tests

function hint(text) {
  const element = document.getElementById("hint");
  element.hidden = !text;
  element.textContent = text;
}

function status(state, text = state) {
  document.getElementById("status").dataset.state = state;
  show("status", text);
}

function news(text) {
  const list = document.getElementById("news");
  list.prepend(Object.assign(document.createElement("li"), { textContent: text }));
  while (list.children.length > NEWS) list.lastChild.remove();
}

const message = (type, data) => ({
  id: `page-${Math.random().toString(36).slice(2)}`, type, timestamp: new Date().toISOString(), source: "dashboard", data,
});

/// A namespace of the app; `handlers` by event get each message's data, and the message.
function join(name, handlers, on_connect) {
  const socket = io(name, {
    auth: { service_type: "dashboard" }, reconnectionDelay: 300, reconnectionDelayMax: 2000,
  });
  for (const [event, handle] of Object.entries(handlers))
    socket.on(event, (received) => handle(received.data, received));
  socket.on("connect", () => on_connect(socket));
  // A broker that ends says so, and the client would take it for the last word.
  socket.on("disconnect", (reason) => {
    if (reason === "io server disconnect") setTimeout(() => socket.connect(), 300);
  });
  return socket;
}

/// Those who wait already: the app tells newcomers of the vehicles, and answers who asks for commuters.
async function ask_who_waits(socket, query) {
  const answer = await socket.timeout(5000).emitWithAck("vehicle:query_commuters",
    message("vehicle:query_commuters", { vehicle_id: "dashboard", seats: SEATS, ...query })).catch(() => null);
  for (const commuter of answer?.data?.commuters ?? []) city.came(commuter);
}

/// The routes and depots of the demo; without it the map is what vehicles and commuters say.
async function ask_what_lies_beneath() {
  const response = await fetch("city").catch(() => null);
  if (!response?.ok) return;
  const { routes, depots } = await response.json();
  city.routes = routes;
  for (const { id, lat, lon } of depots) city.depots.set(id, { lat, lon });
}

const who = {
  "commuter:spawned": (commuter) => city.came(commuter),
  "commuter:picked_up": (trip) => {
    city.boarded(trip, performance.now());
    news(`${trip.commuter_id} boards ${trip.vehicle_id}`);
  },
  "commuter:dropped_off": (trip) => {
    city.left(trip, performance.now());
    news(`${trip.commuter_id} leaves ${trip.vehicle_id}`);
  },
};

function watch() {
  const vehicles = join("/vehicle-events", {
    "vehicle:position_update": (_, received) => city.moved(received, performance.now()),
    "vehicle:status_change": (data, received) => { city.vehicle(received).status = data.status; },
    "vehicle:capacity_update": (data, received) => {
      const vehicle = city.vehicle(received);
      vehicle.capacity = data.capacity ?? vehicle.capacity;
      vehicle.free = data.available_seats;
    },
  }, () => {
    status("live");
    hint("");
    setTimeout(() => {
      if (vehicles.connected && city.vehicles.size === 0)
        hint("Nobody drives here yet. Run the broker with --demo, or connect a vehicle.");
    }, 3000);
  });
  vehicles.on("disconnect", () => {
    status("away", "reconnecting");
    city.clear();
  });
  vehicles.io.on("reconnect_attempt", () => status("away", "reconnecting"));
  vehicles.on("connect_error", (error) => {
    if (!vehicles.active) status("away", `refused: ${error.message}`);
  });

  const beneath = ask_what_lies_beneath();
  join("/depot-reservoir", who, async (socket) => {
    await beneath;
    for (const depot_id of city.depots.keys()) await ask_who_waits(socket, { depot_id });
  });
  join("/route-reservoir", who, async (socket) => {
    await beneath;
    const [south, west, north, east] = city.bounds() ?? [0, 0, 0, 0];
    const position = { lat: (south + north) / 2, lon: (west + east) / 2 };
    await ask_who_waits(socket, { position, radius: RADIUS });
  });
}

function draw() {
  map.draw(performance.now());
  for (const [id, value] of Object.entries(city.figures())) show(id, value);
  requestAnimationFrame(draw);
}

if (globalThis.io) {
  watch();
} else {
  status("away", "no client");
  hint("This broker does not serve the Socket.IO client (/socket.io/socket.io.js): set server.client_bundle, "
    + "see README.md.");
}
draw();
