// What a customer sees: the order on its way, who brings it, and when.
import { View } from "./view.js";

const STEPS = [["PENDING", "ordered"], ["ASSIGNED_TO_DRIVER", "driver found"], ["PICKED_UP", "picked up"],
  ["IN_TRANSIT", "on its way"], ["DELIVERED", "delivered"]];
const PREPARED = new Set(["CONFIRMED", "READY_FOR_PICKUP"]); // no driver yet
const DONE = new Set(["DELIVERED", "CANCELLED"]);

export class Customer extends View {
  constructor(section, town) {
    super(section, town, "customer");
    this.orders = new Map();
    this.shown = null;
    const { account } = this;
    account.on("order:statusChanged", (change) => this.changed(change));
    account.on("driver:assigned", ({ orderId, orderNumber, driver }) => {
      this.news(`${orderNumber} goes to ${driver.name ?? driver.id}`);
      this.load(orderId);
    });
    account.on("driver:locationUpdate", (at) => this.moved(at));
    this.find("#order").onclick = () => this.order();
    account.connect();
  }

  /// Connected: what is under way may have changed meanwhile.
  async begin() {
    this.status("live");
    const { items } = await this.account.ask("GET", "/orders?active=true&limit=20");
    this.orders = new Map(items.map((order) => [order.orderId, order]));
    this.follow(this.orders.has(this.shown) ? this.shown : items[0]?.orderId);
  }

  async load(id) {
    const order = await this.account.ask("GET", `/orders/${id}`).catch(() => null);
    if (!order) return;
    this.orders.set(id, order);
    if (!this.shown || DONE.has(this.orders.get(this.shown)?.status)) return this.follow(id);
    if (order.tracking?.location) this.moved(order.tracking.location);
    this.show();
  }

  follow(id) {
    this.shown = id;
    this.map.markers.clear();
    this.find(".eta").hidden = true;
    if (id) this.load(id);
    this.show();
  }

  changed({ orderId, orderNumber, status }) {
    this.news(`${orderNumber}: ${status.toLowerCase().replaceAll("_", " ")}`);
    if (DONE.has(status) && orderId === this.shown) this.find(".eta").hidden = true;
    this.load(orderId);
  }

  moved({ orderId, latitude, longitude, etaSeconds }) {
    if (orderId !== this.shown) return;
    const order = this.orders.get(orderId);
    const name = order?.tracking?.driver?.name ?? "driver";
    if (!this.map.markers.has(name)) this.map.markers.clear();
    this.map.move(name, { latitude, longitude });
    const eta = this.find(".eta");
    eta.hidden = etaSeconds === undefined || DONE.has(order?.status);
    const goal = ["PICKED_UP", "IN_TRANSIT"].includes(order?.status) ? "here" : "at the shop";
    eta.textContent = `${goal} in ${Math.max(1, Math.round((etaSeconds ?? 0) / 60))} min`;
  }

  async order() {
    const shops = this.town.merchants;
    const shop = shops[Math.floor(Math.random() * shops.length)];
    const order = await this.account.ask("POST", "/orders", {
      merchantId: shop.id, total: 19.5, pickup: { ...shop.at, address: shop.name },
      dropoff: { ...this.town.centre, address: "Home" },
    });
    this.news(`${order.orderNumber}: ordered from ${shop.name}`);
    this.orders.set(order.orderId, order);
    this.follow(order.orderId);
  }

  show() {
    const order = this.orders.get(this.shown);
    const at = STEPS.findIndex(([status]) => status === (PREPARED.has(order?.status) ? "PENDING" : order?.status));
    this.find(".steps").replaceChildren(...STEPS.map(([, text], i) => Object.assign(document.createElement("li"), {
      textContent: text, className: (i <= at ? "done" : "") + (i === at ? " now" : ""),
    })));
    const driver = order?.tracking?.driver;
    this.find(".driver").hidden = !driver;
    if (driver) {
      this.find(".name").textContent = driver.name ?? driver.id;
      this.find(".face").textContent = (driver.name ?? driver.id)[0].toUpperCase();
      this.find(".about").textContent = [driver.vehicleType, driver.phone].filter(Boolean).join(" · ");
      this.find(".rating").textContent = driver.rating ? `★ ${driver.rating}` : "";
    }
    this.map.places = order?.pickup ? [
      { ...order.pickup, colour: "shop", letter: "S" }, { ...order.dropoff, colour: "home", letter: "H" },
    ] : [];
    this.map.ways = order?.pickup ? [{ from: order.pickup, to: order.dropoff, colour: "home" }] : [];
    this.find(".orders").replaceChildren(...[...this.orders.values()].slice(-4).map((each) => {
      const item = document.createElement("li");
      item.className = each.orderId === this.shown ? "shown" : "";
      item.append(`${each.orderNumber} from ${each.pickup?.address ?? each.merchantId}`,
        Object.assign(document.createElement("span"), { textContent: each.status.toLowerCase().replaceAll("_", " ") }));
      item.onclick = () => this.follow(each.orderId);
      return item;
    }));
  }
}
