-- What the other system calls things: by event here, the event that it is sent (`to`), the event that
-- it sends when the same happened there (`from`), and the fields by which what it sends back of our
-- own is known, if it does not keep our ids.
return {
  ["assignment:sent"] = { to = "assignment:sent" },
  ["assignment:received"] = { to = "assignment:received", from = "assignment:received",
                              same = { "assignmentId" } },
  ["unit:location"] = { to = "unit:location", from = "unit:location:updated",
                        same = { "unitId", "location", "heading", "speed" } },
  ["unit:status"] = { to = "unit:status", from = "unit:status:updated",
                      same = { "unitId", "status", "incidentId" } },
  ["incident:created"] = { to = "incident:created", from = "incident:new", same = { "incidentId" } },
  ["incident:status"] = { to = "incident:status", from = "incident:status:updated",
                          same = { "incidentId", "status" } },
  ["incident:timestamp"] = { to = "incident:timestamp", from = "incident:timestamp:updated",
                             same = { "incidentId", "field", "timestamp" } },
  ["transport:completed"] = { to = "transport:completed", from = "transport:completed",
                              same = { "incidentId", "epcrId" } },
  ["metrics:updated"] = { to = "metrics:updated", from = "metrics:updated", same = { "metrics" } },
}
