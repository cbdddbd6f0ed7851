// The page of the orders app: a customer, a driver and a shop beside one another, all ordinary clients.
import { Customer } from "./customer.js";
import { Driver } from "./driver.js";
import { Merchant } from "./merchant.js";

function hint(text) {
  Object.assign(document.getElementById("hint"), { textContent: text, hidden: !text });
}

async function begin() {
  if (!globalThis.io) {
    return hint("This broker does not serve the Socket.IO client (/socket.io/socket.io.js): set server.client_bundle, "
      + "see README.md.");
  }
  const response = await fetch("town").catch(() => null);
  if (!response?.ok) return hint("Nobody is let in here: run the broker with --demo, which has users for this page.");
  const town = await response.json();
  const views = [
    new Customer(document.getElementById("customer"), town), new Driver(document.getElementById("driver"), town),
    new Merchant(document.getElementById("merchant"), town),
  ];
  globalThis.views = views; // for the console, and for tests
  const maps = views.map((view) => view.map).filter(Boolean);
  for (const map of maps) map.town = town;
  const draw = () => {
    for (const map of maps) map.draw();
    requestAnimationFrame(draw);
  };
  draw();
}

begin();
