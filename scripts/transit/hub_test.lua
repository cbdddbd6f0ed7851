-- What the namespaces have in common; shown in one of them.
local schema = require "schema"
local support = require "support_test"

local NSP = "/vehicle-events"

local function status(client, fields)
  return support.send(client, "vehicle:status_change", { vehicle_id = "bus-1", status = "idle" },
                      fields)
end

describe("a client", function()
  it("that says nothing of itself is unknown, and reached by its socket's id", function()
    local a, b = connect(NSP), connect(NSP)
    expect(status(a, { target = b.id })).to_match { ok = true, recipients = 1 }
    expect(#b:received("vehicle:status_change")).to_equal(1)
    expect(status(a, { target = "service:unknown" })).to_match { recipients = 2 }
  end)

  it("may say null for what it does not say", function()
    local client = connect(NSP, {
      auth = { service_type = null, service_id = null, rooms = null } })
    expect(status(client, { target = "service:unknown" })).to_match { recipients = 1 }
  end)

  it("is refused with the field that is wrong", function()
    local wrong = {
      ["auth.service_type"] = { service_type = "a b" },
      ["auth.service_id"] = { service_id = "" },
      ["auth.rooms[0]"] = { rooms = { "zebra:1" } },
      ["auth.rooms[1]"] = { rooms = { "zone:1", "dwarf:2" } },
      ["auth.rooms"] = { rooms = {} },
    }
    for i = 1, 33 do wrong["auth.rooms"].rooms[i] = "zone:" .. i end
    for field, auth in pairs(wrong) do
      local client, refusal = connect(NSP, { auth = auth })
      expect(client).to_be_nil()
      expect(refusal).to_match { message = schema.string { pattern = "^auth%." },
                                 data = { code = "invalid", field = field } }
    end
  end)

  it("can't take the rooms that say who one is", function()
    for _, room in ipairs { "service:monitor", "instance:bus-1", "depot:", "route" } do
      local client, refusal = connect(NSP, { auth = { rooms = { room } } })
      expect(client).to_be_nil()
      expect(refusal.data.code).to_equal("invalid")
    end
  end)
end)

describe("a message", function()
  it("goes to everyone else without a target", function()
    local a, b, c = connect(NSP), connect(NSP), connect(NSP)
    local answer, message = status(a)
    expect(answer).to_equal { ok = true, id = message.id }
    expect(a:received("vehicle:status_change")).to_equal {}
    expect(b:received("vehicle:status_change")).to_equal { message }
    expect(c:received("vehicle:status_change")).to_equal { message }
  end)

  it("goes to its targets, each once", function()
    local a = support.join(NSP, "simulator", "sim-1", { "zone:north" })
    local b = support.join(NSP, "dashboard", "wall", { "zone:north", "depot:D1" })
    local c = support.join(NSP, "dashboard", "desk", { "route:1A", "vehicle:bus-1" })
    local function reached(target)
      for _, client in ipairs { a, b, c } do client:clear() end
      local answer = status(a, { target = target })
      local names = {}
      for name, client in pairs { a = a, b = b, c = c } do
        for _ = 1, #client:received("vehicle:status_change") do names[#names + 1] = name end
      end
      table.sort(names)
      expect(answer.recipients).to_equal(#names)
      return table.concat(names)
    end
    expect(reached("wall")).to_equal("b")
    expect(reached("sim-1")).to_equal("a")
    expect(reached(c.id)).to_equal("c")
    expect(reached("service:dashboard")).to_equal("bc")
    expect(reached("zone:north")).to_equal("ab")
    expect(reached { "zone:north", "wall", "depot:D1" }).to_equal("ab")
    expect(reached { "route:1A", "desk", "sim-1" }).to_equal("ac")
    expect(reached("vehicle:bus-1")).to_equal("c")
    expect(reached("service:nobody")).to_equal("")
    expect(reached("dashboard")).to_equal("")
  end)

  it("is well formed, or refused with the field", function()
    local a, b = connect(NSP), connect(NSP)
    local data = { vehicle_id = "bus-1", status = "idle" }
    local wrong = {
      id = "", type = "something:else", timestamp = "yesterday", source = "",
      target = json.array {}, correlationId = ("x"):rep(129), metadata = 7,
    }
    for field, value in pairs(wrong) do
      local message = support.message("vehicle:status_change", data, { [field] = value })
      expect(a:call("vehicle:status_change", message).error)
        .to_match { code = "invalid", field = field }
    end
    expect(a:call("vehicle:status_change", "hello")).to_equal(support.refusal("invalid", "message"))
    expect(a:call("vehicle:status_change", support.message("vehicle:status_change")))
      .to_equal(support.refusal("invalid", "data"))
    expect(b:received()).to_equal {}
    expect(ask(NSP, "figures")).to_match { tracked = 0, refused = 9, sent = 9, received = 9 }
  end)

  it("has a timestamp with or without a zone, and may have nulls", function()
    local a = connect(NSP)
    for _, timestamp in ipairs { "2026-01-31T10:00:00Z", "2026-01-31T10:00:00.123+02:00",
                                 "2026-01-31T10:00:00.123456", "2026-01-31 10:00:00" } do
      expect(status(a, { timestamp = timestamp, target = null, correlationId = null,
                         metadata = null })).to_match { ok = true }
    end
  end)

  it("that is refused is told to its sender alone", function()
    local a, b = connect(NSP), connect(NSP)
    local answer, message = status(a, { timestamp = "now", correlationId = "c-1" })
    expect(a:received("system:error")).to_equal { {
      id = schema.string(), type = "system:error", timestamp = schema.string(),
      source = "moonwire", target = a.id, correlationId = "c-1",
      metadata = { event = "vehicle:status_change" }, data = answer.error,
    } }
    expect(b:received()).to_equal {}
    expect(message.correlationId).to_equal("c-1")
  end)

  it("of an event that is none is refused, and not acknowledged", function()
    local a, b = connect(NSP), connect(NSP)
    local answer, why = a:call("vehicle:fly", support.message("vehicle:fly", {}))
    expect(answer).to_be_nil()
    expect(why).to_equal("timeout")
    expect(a:received("system:error")).to_match { {
      metadata = { event = "vehicle:fly" },
      data = { code = "unknown_event", field = "type", message = "no event 'vehicle:fly' here" },
    } }
    a:emit("vehicle:fly", 7)
    expect(#a:received("system:error")).to_equal(2)
    expect(a:received("system:error")[2].correlationId).to_be_nil()
    expect(b:received()).to_equal {}
  end)
end)

describe("the figures", function()
  it("count who is there, and messages", function()
    local a = connect(NSP)
    local b = connect(NSP)
    expect(ask(NSP, "figures")).to_match { connections = 2, received = 0, sent = 0, refused = 0 }
    b:disconnect()
    status(a)
    status(a, { timestamp = "now" })
    expect(ask(NSP, "figures")).to_match { connections = 1, received = 2, sent = 1, refused = 1 }
  end)
end)

describe("settings that are wrong", function()
  it("are named", function()
    settings { ["vehicles.limit"] = "many" }
    expect(function() connect(NSP) end)
      .to_error("moonwire.toml: settings.vehicles.limit must be an integer")
  end)
end)

describe("a script of another namespace", function()
  local function say(event, data, fields)
    return ask(NSP, "message", support.message(event, data, fields))
  end

  it("speaks as a service does: what it says is passed on, and kept", function()
    local before = support.join(NSP, "dashboard", "one")
    expect(say("vehicle:status_change", { vehicle_id = "bus-1", status = "idle" }))
      .to_match { ok = true }
    expect(before:received("vehicle:status_change")[1].data.vehicle_id).to_equal("bus-1")
    local late = support.join(NSP, "dashboard", "two")
    expect(late:wait_for("vehicle:status_change").metadata).to_match { replayed = true }
  end)

  it("is heard by its targets only", function()
    local one, two = support.join(NSP, "dashboard", "one"), support.join(NSP, "dashboard", "two")
    expect(say("vehicle:status_change", { vehicle_id = "bus-1", status = "idle" }, { target = "two" }))
      .to_match { ok = true, recipients = 1 }
    expect(one:received()).to_equal {}
    expect(two:received("vehicle:status_change")).to_have_length(1)
  end)

  it("is refused as others are", function()
    expect(say("vehicle:status_change", { vehicle_id = "bus-1", status = "flying" }))
      .to_equal(support.refusal("invalid", "data.status"))
    expect(say("vehicle:fly", {})).to_equal(support.refusal("unknown_event", "type"))
  end)
end)
