local support = require "support_test"

local user, get, settle, notify = support.user, support.get, support.settle, support.notify

describe("a template", function()
  local function put(name, body, role)
    return support.http("PUT", "/socket/templates/" .. name, body, role or "admin")
  end

  it("fills in what it is given", function()
    expect((put("welcome", { title = "Hello {{ name }}", message = "{{count}} new",
                             type = "greeting",
                             data = { link = "/u/{{name}}" } }))).to_equal(201)
    local a = user("u1")
    local status = notify("u1", nil, { template = "welcome", values = { name = "Ann", count = 3 } })
    expect(status).to_equal(200)
    settle()
    expect(a:received("notification")).to_match { {
      title = "Hello Ann", message = "3 new", type = "greeting", data = { link = "/u/Ann" } } }
  end)

  it("leaves what it has no values for as it is", function()
    local data = { list = json.array {}, deep = { { word = "{{word}}" }, json.array {} }, n = 5 }
    support.http("PUT", "/socket/templates/t", { message = "m", data = data }, "admin")
    local a = support.user("u1")
    support.post("/socket/notifications", {
      userId = "u1", template = "t", values = { word = "w" } })
    support.settle()
    expect(json.encode(a:received("notification")[1].data.list)).to_equal("[]")
    expect(json.encode(a:received("notification")[1].data.deep)).to_equal('[{"word":"w"},[]]')
  end)

  it("needs all its values, and to be there", function()
    put("t", { message = "{{a}} {{b}}" })
    local status, answer = notify("u1", nil, { template = "t", values = { a = 1 } })
    expect(status).to_equal(422)
    expect(answer.error.message).to_match("^values.b: ")
    expect(answer.error.data.path).to_equal("$.values.b")
    expect((notify("u1", nil, { template = "other" }))).to_equal(404)
  end)

  it("gives way to the notification's own words", function()
    put("t", { message = "from the template", title = "T", priority = "high" })
    local a = user("u1")
    notify("u1", "own", { template = "t" })
    settle()
    expect(a:received("notification"))
      .to_match { { message = "own", title = "T", priority = "high" } }
  end)

  it("is kept, replaced, listed and removed", function()
    settings { ["templates.limit"] = 2 }
    put("b", { message = "1" })
    put("a", { message = "2" })
    expect((put("a", { message = "3" }))).to_equal(200)
    expect((put("c", { message = "4" }))).to_equal(400)
    local _, list = get("/socket/templates?limit=1")
    expect(list).to_equal { templates = { { name = "a", message = "3" } }, next = { after = "a" } }
    _, list = get("/socket/templates?limit=1&after=a")
    expect(list.templates).to_match { { name = "b" } }
    expect(list.next).to_be_nil()
    expect((support.http("DELETE", "/socket/templates/a", nil, "admin"))).to_equal(204)
    expect((get("/socket/templates/a"))).to_equal(404)
    expect((put("c", { message = "4" }))).to_equal(201)
  end)
end)
