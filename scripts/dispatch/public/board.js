// What the page knows of units, incidents and assignments: the lists as they are at first, and each
// event since.
export const FREE = "available";
const BUSY = new Set(["onscene", "hospital", "unavailable"]);
const TRAIL = 24; // positions behind a unit

/// How a unit is drawn.
export function kind(unit) {
  if (!unit.status || unit.status === FREE) return "available";
  return BUSY.has(unit.status) ? "busy" : "moving";
}

export class Board {
  constructor() {
    this.units = new Map();
    this.incidents = new Map();
    this.assignments = new Map();
    this.metrics = {};
  }

  change(kind, id, fields) {
    const record = this[kind].get(id) ?? {};
    this[kind].set(id, Object.assign(record, fields));
    return record;
  }

  /// A list of the server's takes the place of what was there.
  replace(kind, key, list) {
    this[kind].clear();
    for (const record of list) this.change(kind, record[key], record);
  }

  moved(at) {
    const unit = this.change("units", at.unitId, at);
    unit.trail = [...(unit.trail ?? []), at.location.coordinates].slice(-TRAIL);
  }

  statusOfUnit(said) {
    this.change("units", said.unitId, { ...said, incidentId: said.incidentId });
  }

  /// Closed incidents leave the board.
  statusOfIncident(said) {
    const closed = /^(completed|cancelled|closed)$/i.test(said.status);
    if (closed) this.incidents.delete(said.incidentId);
    else this.change("incidents", said.incidentId, said);
  }

  assigned(assignment) {
    if (assignment.state === "closed") this.assignments.delete(assignment.assignmentId);
    else this.change("assignments", assignment.assignmentId, assignment);
  }

  get free() {
    return [...this.units.values()].filter((unit) => kind(unit) === "available").length;
  }

  /// In the order in which they want attention.
  sorted(kind, by) {
    return [...this[kind].values()].sort((a, b) => by(a) < by(b) ? -1 : by(a) > by(b) ? 1 : 0);
  }
}
