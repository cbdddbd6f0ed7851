// The map: units with where they came from, incidents by their urgency, and who goes where. It shows
// whatever area they are in.
import { kind } from "./board.js";

const EDGE = 48; // pixels around what is shown
const LEAST = 0.012; // degrees

export class BoardMap {
  constructor(canvas, board) {
    this.canvas = canvas;
    this.legend = canvas.parentElement.querySelector(".legend");
    this.board = board;
    this.drawn = new Map(); // where each unit is drawn: on its way to where it is
    const frame = () => {
      this.draw();
      requestAnimationFrame(frame);
    };
    frame();
  }

  /// The area, a little behind what is there, so that it does not jump.
  fit(points) {
    const lngs = points.map(([lng]) => lng), lats = points.map(([, lat]) => lat);
    const want = points.length
      ? { west: Math.min(...lngs), east: Math.max(...lngs), south: Math.min(...lats), north: Math.max(...lats) }
      : { west: -0.05, east: 0.05, south: -0.05, north: 0.05 };
    const grow = (low, high) => {
      const more = Math.max(0, LEAST - (want[high] - want[low])) / 2;
      want[low] -= more;
      want[high] += more;
    };
    grow("west", "east");
    grow("south", "north");
    // At once where nothing was shown before.
    if (!this.area || !this.shown) this.area = want;
    this.shown = points.length > 0;
    for (const side of Object.keys(want)) this.area[side] += (want[side] - this.area[side]) * 0.08;
  }

  project([lng, lat]) {
    const { west, east, south, north } = this.area;
    const flat = Math.cos(((south + north) / 2) * Math.PI / 180);
    const { width, height } = this.room;
    const scale = Math.min((width - 2 * EDGE) / ((east - west) * flat), (height - 2 * EDGE) / (north - south));
    return [
      width / 2 + (lng - (west + east) / 2) * flat * scale,
      height / 2 - (lat - (south + north) / 2) * scale,
    ];
  }

  draw() {
    const ratio = devicePixelRatio || 1;
    const width = this.canvas.clientWidth, height = this.canvas.clientHeight;
    if (this.canvas.width !== Math.round(width * ratio)) this.canvas.width = Math.round(width * ratio);
    if (this.canvas.height !== Math.round(height * ratio)) this.canvas.height = Math.round(height * ratio);
    const pen = this.canvas.getContext("2d");
    pen.setTransform(ratio, 0, 0, ratio, 0, 0);
    const style = getComputedStyle(document.documentElement);
    this.colour = (name) => style.getPropertyValue(`--${name}`).trim();
    pen.clearRect(0, 0, width, height);
    this.room = { width, height: height - this.legend.offsetHeight }; // nothing lies beneath the legend
    const units = [...this.board.units.values()].filter((unit) => unit.location);
    const incidents = [...this.board.incidents.values()].filter((incident) => incident.location);
    this.fit([...units, ...incidents].map((each) => each.location.coordinates));
    this.streets(pen, width, height);
    for (const unit of units) this.errand(pen, unit);
    for (const incident of incidents) this.incident(pen, incident);
    for (const unit of units) this.unit(pen, unit);
  }

  streets(pen, width, height) {
    pen.strokeStyle = this.colour("edge");
    pen.lineWidth = 1;
    pen.beginPath();
    const step = 0.005, { west, north } = this.area;
    const [x0] = this.project([Math.ceil(west / step) * step, north]);
    const [x1] = this.project([(Math.ceil(west / step) + 1) * step, north]);
    for (let x = x0 % (x1 - x0); x < width; x += x1 - x0) pen.moveTo(x, 0), pen.lineTo(x, height);
    const [, y0] = this.project([west, Math.floor(north / step) * step]);
    const [, y1] = this.project([west, (Math.floor(north / step) - 1) * step]);
    for (let y = y0 % (y1 - y0); y < height; y += y1 - y0) pen.moveTo(0, y), pen.lineTo(width, y);
    pen.stroke();
  }

  /// From a unit to its incident.
  errand(pen, unit) {
    const incident = this.board.incidents.get(unit.incidentId);
    if (!incident?.location || kind(unit) !== "moving") return;
    pen.strokeStyle = this.colour("moving");
    pen.globalAlpha = 0.45;
    pen.setLineDash([4, 5]);
    pen.beginPath();
    pen.moveTo(...this.project(unit.location.coordinates));
    pen.lineTo(...this.project(incident.location.coordinates));
    pen.stroke();
    pen.setLineDash([]);
    pen.globalAlpha = 1;
  }

  incident(pen, incident) {
    const [x, y] = this.project(incident.location.coordinates);
    const radius = 13 - 1.5 * (incident.priority ?? 3);
    pen.strokeStyle = this.colour("incident");
    pen.lineWidth = 2.5;
    pen.beginPath();
    pen.arc(x, y, radius, 0, 2 * Math.PI);
    pen.stroke();
    if (incident.priority <= 2) {
      pen.globalAlpha = 0.18;
      pen.fillStyle = this.colour("incident");
      pen.beginPath();
      pen.arc(x, y, radius + 7, 0, 2 * Math.PI);
      pen.fill();
      pen.globalAlpha = 1;
    }
  }

  unit(pen, unit) {
    const goal = unit.location.coordinates;
    const seen = this.drawn.get(unit.unitId) ?? goal;
    const at = [seen[0] + (goal[0] - seen[0]) * 0.12, seen[1] + (goal[1] - seen[1]) * 0.12];
    this.drawn.set(unit.unitId, at);
    pen.strokeStyle = pen.fillStyle = this.colour(kind(unit));
    pen.lineWidth = 2;
    pen.globalAlpha = 0.3;
    pen.beginPath();
    for (const point of unit.trail ?? []) pen.lineTo(...this.project(point));
    pen.stroke();
    pen.globalAlpha = 1;
    const [x, y] = this.project(at);
    pen.beginPath();
    pen.arc(x, y, 6, 0, 2 * Math.PI);
    pen.fill();
    pen.strokeStyle = this.colour("panel");
    pen.stroke();
    pen.fillStyle = this.colour("text");
    pen.font = "11px system-ui, sans-serif";
    // Beside the unit; where that would leave the map, on its other side.
    const isLeft = pen.measureText(unit.unitId).width > this.room.width - x - 9;
    pen.textAlign = isLeft ? "right" : "left";
    pen.fillText(unit.unitId, isLeft ? x - 9 : x + 9, y + 4);
  }
}
