// What a merchant sees: the shop's orders as they come, and what becomes of them.
import { View } from "./view.js";

const NEXT = { PENDING: ["CONFIRMED", "Confirm"], CONFIRMED: ["READY_FOR_PICKUP", "Ready"] };
const LISTS = {
  PENDING: "queue", CONFIRMED: "queue", READY_FOR_PICKUP: "queue", DELIVERED: "ended", CANCELLED: "ended",
};
const KEPT = 5; // of those that have ended

export class Merchant extends View {
  constructor(section, town) {
    super(section, town, "merchant");
    this.find("h1").textContent = `${town.merchants[0].name}, the shop`;
    this.orders = new Map();
    const { account } = this;
    account.on("order:created", (order) => {
      this.news(`${order.orderNumber} is new`);
      this.put(order);
    });
    account.on("order:statusChanged", (change) => this.put(change));
    account.connect();
  }

  /// Connected: what is under way may have changed meanwhile.
  async begin() {
    this.status("live");
    const { items } = await this.account.ask("GET", "/orders?active=true&limit=50");
    this.orders = new Map(items.map((order) => [order.orderId, order]));
    this.show();
  }

  put(order) {
    const known = this.orders.get(order.orderId);
    this.orders.delete(order.orderId); // the latest last
    this.orders.set(order.orderId, { ...known, ...order });
    const ended = [...this.orders.values()].filter((each) => LISTS[each.status] === "ended");
    for (const each of ended.slice(0, -KEPT)) this.orders.delete(each.orderId);
    this.show();
  }

  move(order, status) {
    this.account.ask("PATCH", `/orders/${order.orderId}/status`, { status }).catch(({ message }) => this.news(message));
  }

  item(order) {
    const item = document.createElement("li");
    item.dataset.order = order.orderNumber;
    item.append(order.orderNumber);
    const [status, text] = NEXT[order.status] ?? [];
    if (status) {
      const button = Object.assign(document.createElement("button"), { textContent: text });
      button.onclick = () => this.move(order, status);
      item.append(button);
    } else {
      item.append(Object.assign(document.createElement("span"), {
        textContent: order.status.toLowerCase().replaceAll("_", " "), className: "none",
      }));
    }
    return item;
  }

  show() {
    for (const list of ["queue", "underway", "ended"]) {
      const orders = [...this.orders.values()].filter((each) => (LISTS[each.status] ?? "underway") === list);
      const none = Object.assign(document.createElement("li"), { textContent: "none", className: "none" });
      this.find(`.${list}`).replaceChildren(...(orders.length ? orders.map((each) => this.item(each)) : [none]));
    }
  }
}
