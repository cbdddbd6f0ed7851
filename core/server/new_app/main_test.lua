-- `moonwire test` runs this; nothing is listened to, and the clock is simulated.
local NSP = "/{{name}}"

local function join(name, room)
  local client = connect(NSP, { auth = { name = name } })
  client:call("join", room)
  return client
end

describe("{{name}}", function()
  it("refuses who gives no name", function()
    local client, refusal = connect(NSP)
    expect(client).to_be_nil()
    expect(refusal).to_match { message = "auth.name is missing", data = { code = "unauthorized" } }
  end)

  it("passes a message on to everybody in its room, and to nobody else", function()
    local ann, bob, eve = join("ann", "lobby"), join("bob", "lobby"), join("eve", "attic")
    expect(ann:call("send", { room = "lobby", text = "hello" })).to_equal { ok = true }
    for _, client in ipairs { ann, bob } do
      expect(client:received("message")).to_match {
        { room = "lobby", text = "hello", from = "ann" },
      }
    end
    expect(eve:received("message")).to_equal {}
  end)

  it("says what is wrong with a message", function()
    local answer = join("ann", "lobby"):call("send", { room = "lobby", text = "" })
    expect(answer.error).to_match { code = "invalid", data = { path = "text", rule = "min" } }
  end)

  it("tells the others who is typing", function()
    local ann, bob = join("ann", "lobby"), join("bob", "lobby")
    ann:emit("typing", { room = "lobby" })
    expect(bob:received("typing")).to_equal { { room = "lobby" } }
    expect(ann:received("typing")).to_equal {}
  end)
end)
