-- What the other system calls things: by event here, the event that it is sent (`to`), the event
-- that it sends when the same happened there (`from`), the fields by which what it sends back of our
-- own is known, if it does not keep our ids (`same`), and, where a later one replaces an earlier one,
-- the fields that say of what (`about`).
return {
  ["assignment:sent"] = { to = "assignment:sent" },
  ["assignment:received"] = { to = "assignment:received", from = "assignment:received",
                              same = { "assignmentId" } },
  ["unit:location"] = { to = "unit:location", from = "unit:location:updated",
                        same = { "unitId", "location", "heading", "speed" },
                        about = { "unitId" } },
  ["unit:status"] = { to = "unit:status", from = "unit:status:updated",
                      same = { "unitId", "status", "incidentId" }, about = { "unitId" } },
  ["incident:created"] = { to = "incident:created", from = "incident:new",
                           same = { "incidentId" } },
  ["incident:status"] = { to = "incident:status", from = "incident:status:updated",
                          same = { "incidentId", "status" }, about = { "incidentId" } },
  ["incident:timestamp"] = { to = "incident:timestamp", from = "incident:timestamp:updated",
                             same = { "incidentId", "field", "timestamp" } },
  ["transport:completed"] = { to = "transport:completed", from = "transport:completed",
                              same = { "incidentId", "epcrId" } },
  ["metrics:updated"] = { to = "metrics:updated", from = "metrics:updated", same = { "metrics" },
                          about = {} },
}
