// What a driver sees: offers nearby, the order at hand, and the way there.
import { View } from "./view.js";

const TICK_MS = 1000, STEP = 0.6; // of a street, a tick
const LOOK_MS = 5000; // how often offers that others took are dropped
const NEXT = {
  ASSIGNED_TO_DRIVER: ["PICKED_UP", "Picked up"], PICKED_UP: ["IN_TRANSIT", "On the way"],
  IN_TRANSIT: ["DELIVERED", "Delivered"],
};

export class Driver extends View {
  constructor(section, town) {
    super(section, town, "driver");
    this.offers = new Map();
    this.order = null;
    this.at = { ...town.centre };
    const { account } = this;
    account.on("order:available", (offer) => this.offered(offer));
    account.on("order:assigned", (order) => {
      this.news(`${order.orderNumber} is yours`);
      this.take(order);
    });
    account.on("order:statusChanged", ({ orderId, orderNumber, status }) => {
      this.news(`${orderNumber}: ${status.toLowerCase().replaceAll("_", " ")}`);
      if (this.order?.orderId === orderId) this.take({ ...this.order, status });
    });
    this.find("#next").onclick = () => this.next();
    setInterval(() => this.tick(), TICK_MS);
    setInterval(() => this.look(), LOOK_MS);
    this.show();
    account.connect();
  }

  async begin() {
    this.status("live");
    const { position } = await this.account.ask("GET", "/drivers/demo");
    if (position) this.at = { latitude: position.latitude, longitude: position.longitude };
    await this.report();
    const { items } = await this.account.ask("GET", "/orders?active=true&limit=1");
    this.take(items[0] ?? null);
    this.look();
  }

  /// What is still to have.
  async look() {
    if (!this.account.socket.connected) return;
    const available = await this.account.ask("GET", "/orders/available").catch(() => null);
    if (!available) return;
    this.offers = new Map(available.items.map((offer) => [offer.orderId, offer]));
    this.show();
  }

  /// Says where it is; done once the broker has it.
  async report() {
    this.map.move("you", this.at);
    const { socket, id } = this.account;
    if (!socket.connected) return;
    await socket.timeout(5000)
      .emitWithAck("driverLocationUpdate", { driverId: id, ...this.at, orderId: this.order?.orderId })
      .catch(() => {});
  }

  offered(offer) {
    this.offers.set(offer.orderId, offer);
    this.show();
  }

  async accept(offer) {
    this.offers.delete(offer.orderId);
    await this.account.ask("POST", `/orders/${offer.orderId}/assign`, {})
      .catch((problem) => this.news(`${offer.orderNumber}: ${problem.message}`));
    this.show();
  }

  take(order) {
    this.order = order && NEXT[order.status] ? order : null;
    if (order) this.offers.delete(order.orderId);
    this.show();
  }

  async next() {
    const [status] = NEXT[this.order?.status] ?? [];
    if (!status || this.busy) return;
    this.busy = true;
    const { orderId } = this.order;
    try {
      await this.account.ask("PATCH", `/orders/${orderId}/status`, { status });
      // The event may take longer than the next tick.
      if (this.order?.orderId === orderId) this.take({ ...this.order, status });
    } catch (problem) {
      this.news(problem.message);
    }
    this.busy = false;
  }

  get goal() {
    return this.order && (this.order.status === "ASSIGNED_TO_DRIVER" ? this.order.pickup : this.order.dropoff);
  }

  /// One step along the streets; at the goal, the next status.
  tick() {
    const { goal } = this;
    if (!goal || !this.find("#auto").checked || !this.account.socket.connected) return;
    let left = STEP;
    for (const axis of ["longitude", "latitude"]) {
      const way = (goal[axis] - this.at[axis]) / this.town.street[axis];
      const step = Math.sign(way) * Math.min(Math.abs(way), left);
      this.at[axis] += step * this.town.street[axis];
      left -= Math.abs(step);
    }
    this.at = { ...this.at };
    this.report();
    if (left > 1e-6 || this.order.status === "PICKED_UP") this.next();
    this.draw_way();
  }

  draw_way() {
    this.map.ways = this.goal ? [{ from: this.at, to: this.goal, colour: "accent" }] : [];
  }

  show() {
    const [, text] = NEXT[this.order?.status] ?? [];
    Object.assign(this.find("#next"), { textContent: text ?? "No order", disabled: !text });
    this.map.places = this.order?.pickup ? [
      { ...this.order.pickup, colour: "shop", letter: "S" }, { ...this.order.dropoff, colour: "home", letter: "H" },
    ] : [...this.offers.values()].map((offer) => ({ ...offer.pickup, colour: "shop", letter: "!" }));
    this.draw_way();
    this.find(".offers").replaceChildren(...[...this.offers.values()].slice(0, 4).map((offer) => {
      const item = document.createElement("li");
      item.dataset.number = offer.orderNumber;
      item.append(`${offer.orderNumber} at ${offer.pickup.address ?? offer.merchantId}, ${offer.distanceMetres} m away`,
        Object.assign(document.createElement("button"), { textContent: "Accept", onclick: () => this.accept(offer) }));
      return item;
    }));
    if (this.offers.size === 0)
      this.find(".offers").append(
        Object.assign(document.createElement("li"), { textContent: "No offers nearby", className: "none" }));
  }
}
