// What all parts of the page have: a section, maybe with a map, an account that is connected or not, and news.
import { Account } from "./account.js";
import { TownMap } from "./map.js";

const NEWS = 5; // lines

export class View {
  constructor(section, town, party) {
    this.find = (selector) => section.querySelector(selector);
    this.map = this.find("canvas") && new TownMap(this.find("canvas"));
    this.town = town;
    const account = this.account = new Account(party);
    account.socket.on("connected", () => this.begin());
    account.socket.on("disconnect", () => this.status("away", "reconnecting"));
    account.socket.on("error", ({ message }) => this.status("away", message));
    account.on("notification", ({ title, message }) => this.news(`${title}: ${message}`));
  }

  status(state, text = state) {
    Object.assign(this.find(".status"), { textContent: text }).dataset.state = state;
  }

  news(text) {
    this.find(".news").prepend(Object.assign(document.createElement("li"), { textContent: text }));
    while (this.find(".news").children.length > NEWS) this.find(".news").lastChild.remove();
  }
}
