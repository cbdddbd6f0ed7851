// What a dashboard knows of the city, from the events that it hears. Nothing here draws or connects.

export class City {
  constructor() {
    this.routes = [];          // [{id, path: [[lat, lon], …]}], if somebody tells
    this.depots = new Map();   // id -> {lat, lon}
    this.clear();
  }

  /// Forgets what moves: the broker has, too, when it comes back.
  clear() {
    this.vehicles = new Map(); // id -> {lat, lon, from, since, heading, route, status, capacity, free, away}
    this.waiting = new Map();  // commuter's id -> {lat, lon, inbound, depot}
    this.rings = [];           // [{lat, lon, since, inbound}]: somebody boarded or left here
    this.arrived = 0;
  }

  vehicle(message) {
    const { vehicle_id: id } = message.data;
    if (!this.vehicles.has(id)) this.vehicles.set(id, { id, capacity: 0, free: 0 });
    const vehicle = this.vehicles.get(id);
    vehicle.away = message.metadata?.connected === false;
    return vehicle;
  }

  moved(message, now) {
    const { position, current_location, heading, route_id } = message.data;
    const { lat, lon } = position || current_location;
    const vehicle = this.vehicle(message);
    const from = vehicle.since === undefined ? { lat, lon } : this.place(vehicle, now);
    // As long as the last step took, so that it arrives when the next one begins.
    const step = Math.min(now - (vehicle.since ?? now), 2000);
    Object.assign(vehicle, { lat, lon, from, since: now, step, heading: heading ?? vehicle.heading, route: route_id });
  }

  /// Where a vehicle is drawn: on its way from its last place to its newest.
  place(vehicle, now) {
    const share = vehicle.step > 0 ? Math.min(1, (now - vehicle.since) / vehicle.step) : 1;
    const { lat, lon } = vehicle.from;
    return { lat: lat + (vehicle.lat - lat) * share, lon: lon + (vehicle.lon - lon) * share };
  }

  came(commuter) {
    const place = commuter.current_location || this.depots.get(commuter.depot_id);
    if (!place) return;
    const depot = commuter.depot_id;
    if (depot && !this.depots.has(depot)) this.depots.set(depot, place);
    this.waiting.set(commuter.commuter_id, {
      lat: place.lat, lon: place.lon, depot, inbound: commuter.direction === "inbound",
    });
  }

  boarded({ commuter_id: id }, now) {
    const commuter = this.waiting.get(id);
    if (commuter) this.ring(commuter, now);
    this.waiting.delete(id);
  }

  left({ vehicle_id: id }, now) {
    this.arrived++;
    if (this.vehicles.has(id)) this.ring(this.place(this.vehicles.get(id), now), now);
  }

  ring({ lat, lon, inbound }, now) {
    this.rings = this.rings.filter((ring) => now - ring.since < 900).slice(-100);
    this.rings.push({ lat, lon, inbound, since: now });
  }

  figures() {
    const all = [...this.waiting.values()];
    const vehicles = [...this.vehicles.values()];
    return {
      vehicles: vehicles.length,
      "at-depots": all.filter((commuter) => commuter.depot).length,
      "along-routes": all.filter((commuter) => !commuter.depot).length,
      "on-board": vehicles.reduce((sum, { capacity, free }) => sum + Math.max(0, capacity - free), 0),
      arrived: this.arrived,
    };
  }

  /// [south, west, north, east] of all there is, or null.
  bounds() {
    const points = [
      ...this.routes.flatMap(({ path }) => path.map(([lat, lon]) => ({ lat, lon }))),
      ...this.depots.values(),
      ...(this.routes.length ? [] : [...this.vehicles.values(), ...this.waiting.values()]),
    ].filter(({ lat }) => lat !== undefined);
    if (points.length === 0) return null;
    const lats = points.map(({ lat }) => lat);
    const lons = points.map(({ lon }) => lon);
    return [Math.min(...lats), Math.min(...lons), Math.max(...lats), Math.max(...lons)];
  }
}
