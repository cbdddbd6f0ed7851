// The page of the orders app: a customer and a driver beside one another, both ordinary clients.
import { Customer } from "./customer.js";
import { Driver } from "./driver.js";

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
  ];
  globalThis.views = views; // for the console, and for tests
  for (const view of views) view.map.town = town;
  const draw = () => {
    for (const view of views) view.map.draw();
    requestAnimationFrame(draw);
  };
  draw();
}

begin();
