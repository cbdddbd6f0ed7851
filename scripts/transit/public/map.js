// Draws a city on a canvas.

const PANEL = 290, MARGIN = 60; // pixels
const RING_MS = 900;

export class CityMap {
  constructor(canvas, city) {
    this.canvas = canvas;
    this.city = city;
    this.pen = canvas.getContext("2d");
    this.read_colours();
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => this.read_colours());
  }

  read_colours() {
    const style = getComputedStyle(document.documentElement);
    const names = ["ground", "line", "edge", "text", "faint", "outbound", "inbound", "depot"];
    this.colours = Object.fromEntries(names.map((name) => [name, style.getPropertyValue(`--${name}`).trim()]));
    this.is_dark = matchMedia("(prefers-color-scheme: dark)").matches;
  }

  /// A route's own colour, from its name; names that are alike have colours that are not.
  route_colour(id) {
    let sum = 0;
    for (const letter of String(id ?? "")) sum += letter.codePointAt(0);
    const hue = (sum * 137.5) % 360;
    return `hsl(${hue} ${this.is_dark ? "60% 65%" : "55% 42%"})`;
  }

  /// Fits the canvas to the window and the city into what the panel leaves of it.
  fit() {
    const { canvas, pen } = this;
    const scale = devicePixelRatio || 1;
    const [width, height] = [canvas.clientWidth, canvas.clientHeight];
    if (canvas.width !== Math.round(width * scale) || canvas.height !== Math.round(height * scale)) {
      canvas.width = Math.round(width * scale);
      canvas.height = Math.round(height * scale);
    }
    pen.setTransform(scale, 0, 0, scale, 0, 0);
    this.size = [width, height];
    const bounds = this.city.bounds();
    if (!bounds) return;
    const [south, west, north, east] = bounds;
    const narrow = Math.cos(((south + north) / 2) * Math.PI / 180);
    const beside = width > 620;
    const [left, room] = beside ? [PANEL, width - PANEL] : [0, width];
    const below = beside ? height : height * 0.75;
    const zoom = Math.min((room - 2 * MARGIN) / Math.max(1e-3, (east - west) * narrow),
      (below - 2 * MARGIN) / Math.max(1e-3, north - south));
    const [x0, y0] = [left + room / 2, below / 2];
    this.point = ({ lat, lon }) => [
      x0 + (lon - (west + east) / 2) * narrow * zoom, y0 - (lat - (south + north) / 2) * zoom,
    ];
  }

  draw(now) {
    const { pen, city } = this;
    this.fit();
    pen.fillStyle = this.colours.ground;
    pen.fillRect(0, 0, ...this.size);
    if (!this.point) return;
    for (const route of city.routes) this.draw_route(route);
    for (const commuter of city.waiting.values()) if (!commuter.depot) this.draw_commuter(commuter);
    for (const [id, depot] of city.depots) this.draw_depot(id, depot);
    for (const vehicle of city.vehicles.values()) if (vehicle.lat !== undefined) this.draw_vehicle(vehicle, now);
    for (const ring of city.rings) this.draw_ring(ring, now);
  }

  draw_route({ id, path }) {
    const { pen } = this;
    pen.beginPath();
    for (const [lat, lon] of path) pen.lineTo(...this.point({ lat, lon }));
    pen.lineJoin = pen.lineCap = "round";
    pen.lineWidth = 11;
    pen.strokeStyle = this.colours.edge;
    pen.stroke();
    pen.lineWidth = 8;
    pen.strokeStyle = this.colours.line;
    pen.stroke();
    pen.lineWidth = 2;
    pen.globalAlpha = 0.55;
    pen.strokeStyle = this.route_colour(id);
    pen.stroke();
    pen.globalAlpha = 1;
  }

  draw_commuter(commuter) {
    const { pen } = this;
    pen.beginPath();
    pen.arc(...this.point(commuter), 3.2, 0, 2 * Math.PI);
    pen.fillStyle = commuter.inbound ? this.colours.inbound : this.colours.outbound;
    pen.fill();
  }

  draw_depot(id, depot) {
    const { pen, colours } = this;
    const [x, y] = this.point(depot);
    const queue = [...this.city.waiting.values()].filter((commuter) => commuter.depot === id).length;
    pen.fillStyle = colours.depot;
    pen.beginPath();
    pen.roundRect(x - 12, y - 12, 24, 24, 5);
    pen.fill();
    pen.textAlign = "center";
    pen.textBaseline = "middle";
    pen.fillStyle = colours.ground;
    pen.font = "600 12px system-ui, sans-serif";
    pen.fillText(queue, x, y + 0.5);
    pen.fillStyle = colours.text;
    pen.font = "11px system-ui, sans-serif";
    pen.fillText(id, x, y + 24);
  }

  draw_vehicle(vehicle, now) {
    const { pen, colours } = this;
    const [x, y] = this.point(this.city.place(vehicle, now));
    const [length, width] = [22, 11];
    pen.save();
    pen.translate(x, y);
    pen.rotate(((vehicle.heading ?? 90) - 90) * Math.PI / 180);
    pen.globalAlpha = vehicle.away ? 0.35 : 1;
    pen.beginPath();
    pen.roundRect(-length / 2, -width / 2, length, width, 3.5);
    pen.fillStyle = colours.ground;
    pen.fill();
    if (vehicle.capacity > 0) {
      pen.save();
      pen.clip();
      pen.fillStyle = this.route_colour(vehicle.route);
      pen.globalAlpha *= 0.75;
      pen.fillRect(-length / 2, -width / 2, length * (1 - vehicle.free / vehicle.capacity), width);
      pen.restore();
    }
    pen.lineWidth = 2;
    pen.strokeStyle = this.route_colour(vehicle.route);
    pen.stroke();
    if (vehicle.status === "boarding") { // doors open
      pen.beginPath();
      pen.moveTo(-5, width / 2 + 3);
      pen.lineTo(5, width / 2 + 3);
      pen.stroke();
    }
    pen.restore();
  }

  draw_ring(ring, now) {
    const { pen, colours } = this;
    const age = (now - ring.since) / RING_MS;
    if (age >= 1) return;
    pen.beginPath();
    pen.arc(...this.point(ring), 4 + 14 * age, 0, 2 * Math.PI);
    pen.lineWidth = 2;
    pen.globalAlpha = 1 - age;
    pen.strokeStyle = ring.inbound ? colours.inbound : colours.outbound;
    pen.stroke();
    pen.globalAlpha = 1;
  }
}
