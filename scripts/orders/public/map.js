// Draws a town of streets on a canvas, and on it places, ways and drivers.

const GLIDE_MS = 2500; // that a marker takes to where it was last reported

export class TownMap {
  constructor(canvas) {
    this.canvas = canvas;
    this.pen = canvas.getContext("2d");
    this.town = { centre: { latitude: 52.52, longitude: 13.405 }, street: { latitude: 0.0018, longitude: 0.003 } };
    this.places = []; // {latitude, longitude, colour, letter}
    this.ways = []; // {from, to, colour}
    this.markers = new Map(); // by name: {from, to, since}
    this.read_colours();
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => this.read_colours());
  }

  read_colours() {
    const style = getComputedStyle(document.documentElement);
    const names = ["ground", "street", "text", "panel", "accent", "shop", "home", "faint"];
    this.colours = Object.fromEntries(names.map((name) => [name, style.getPropertyValue(`--${name}`).trim()]));
  }

  /// Lets a marker glide to where it is now.
  move(name, place) {
    const now = performance.now();
    const before = this.markers.get(name);
    this.markers.set(name, { from: before ? this.where(before, now) : place, to: place, since: now });
  }

  where({ from, to, since }, now) {
    const share = Math.min(1, (now - since) / GLIDE_MS);
    return {
      latitude: from.latitude + (to.latitude - from.latitude) * share,
      longitude: from.longitude + (to.longitude - from.longitude) * share,
    };
  }

  fit() {
    const { canvas, pen, town } = this;
    const scale = devicePixelRatio || 1;
    const [width, height] = [canvas.clientWidth, canvas.clientHeight];
    if (canvas.width !== Math.round(width * scale) || canvas.height !== Math.round(height * scale)) {
      canvas.width = Math.round(width * scale);
      canvas.height = Math.round(height * scale);
    }
    pen.setTransform(scale, 0, 0, scale, 0, 0);
    this.size = [width, height];
    // Thirteen streets across, eleven up: what the demo's orders need.
    this.step = Math.min(width / 14, height / 12);
    this.point = ({ latitude, longitude }) => [
      width / 2 + (longitude - town.centre.longitude) / town.street.longitude * this.step,
      height / 2 - (latitude - town.centre.latitude) / town.street.latitude * this.step,
    ];
  }

  draw() {
    const { pen, colours } = this;
    const now = performance.now();
    this.fit();
    pen.fillStyle = colours.ground;
    pen.fillRect(0, 0, ...this.size);
    this.draw_streets();
    for (const way of this.ways) this.draw_way(way);
    for (const place of this.places) this.draw_place(place);
    for (const [name, marker] of this.markers) this.draw_marker(name, this.where(marker, now));
  }

  draw_streets() {
    const { pen, colours, step } = this;
    const [width, height] = this.size;
    pen.strokeStyle = colours.street;
    for (let i = -30; i <= 30; i += 1) {
      pen.lineWidth = i % 4 === 0 ? 7 : 3.5;
      pen.beginPath();
      pen.moveTo(width / 2 + i * step, 0);
      pen.lineTo(width / 2 + i * step, height);
      pen.moveTo(0, height / 2 + i * step);
      pen.lineTo(width, height / 2 + i * step);
      pen.stroke();
    }
  }

  /// Along the streets, as the demo's drivers go: east or west first.
  draw_way({ from, to, colour }) {
    const { pen, colours } = this;
    pen.beginPath();
    pen.moveTo(...this.point(from));
    pen.lineTo(...this.point({ latitude: from.latitude, longitude: to.longitude }));
    pen.lineTo(...this.point(to));
    pen.lineJoin = pen.lineCap = "round";
    pen.lineWidth = 4;
    pen.globalAlpha = 0.6;
    pen.strokeStyle = colours[colour];
    pen.stroke();
    pen.globalAlpha = 1;
  }

  draw_place({ colour, letter, ...place }) {
    const { pen, colours } = this;
    const [x, y] = this.point(place);
    pen.beginPath();
    pen.arc(x, y, 11, 0, 2 * Math.PI);
    pen.fillStyle = colours[colour];
    pen.fill();
    pen.fillStyle = colours.panel;
    pen.font = "700 12px system-ui, sans-serif";
    pen.textAlign = "center";
    pen.textBaseline = "middle";
    pen.fillText(letter, x, y + 0.5);
  }

  draw_marker(name, place) {
    const { pen, colours } = this;
    const [x, y] = this.point(place);
    pen.beginPath();
    pen.arc(x, y, 16, 0, 2 * Math.PI);
    pen.globalAlpha = 0.25;
    pen.fillStyle = colours.accent;
    pen.fill();
    pen.globalAlpha = 1;
    pen.beginPath();
    pen.arc(x, y, 8, 0, 2 * Math.PI);
    pen.fill();
    pen.lineWidth = 2.5;
    pen.strokeStyle = colours.panel;
    pen.stroke();
    pen.fillStyle = colours.text;
    pen.font = "600 11px system-ui, sans-serif";
    pen.textAlign = "center";
    pen.textBaseline = "alphabetic";
    pen.fillText(name, x, y - 19);
  }
}
