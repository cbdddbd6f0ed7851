local support = require "support_test"

local user = support.user
local JWK = { kty = "EC", crv = "P-256", x = "eA", y = "eQ" }

describe("end-to-end encryption", function()
  it("finds another's public key, and passes ciphertext on", function()
    local a, b = user("u1"), user("u2")
    expect(a:call("publish_key", { publicKey = JWK, keyId = "k1" }))
      .to_equal { success = true, keyId = "k1" }
    expect(b:call("get_key", { userId = "u1" }))
      .to_match { userId = "u1", publicKey = JWK, keyId = "k1" }
    local sent = b:call("encrypted_message", {
      to = "u1", ciphertext = "c2VjcmV0", iv = "aXY=", keyId = "k2" })
    expect(sent).to_match { success = true, online = true }
    support.settle()
    expect(a:received("encrypted_message")).to_match { {
      messageId = sent.messageId, from = "u2", to = "u1", ciphertext = "c2VjcmV0", iv = "aXY=",
      keyId = "k2" } }
    expect(b:received("encrypted_message")).to_equal {}
  end)

  it("keeps no private key, however it is written, and no binary", function()
    local a = user("u1")
    for _, key in ipairs {
      { kty = "EC", d = "c2VjcmV0" }, '{"kty": "oct", "k": "c2VjcmV0"}',
      "-----BEGIN PRIVATE KEY-----\nc2VjcmV0", { x = bytes "x" },
      { x = ("x"):rep(5000) },
    } do
      expect(a:call("publish_key", { publicKey = key, keyId = "k1" }))
        .to_match { error = { code = "invalid", data = { path = "$.publicKey" } } }
    end
    expect(a:call("get_key", { userId = "u1" })).to_match { error = { code = "not_found" } }
  end)

  it("keeps the newest key, also for later", function()
    local a = user("u1")
    a:call("publish_key", { publicKey = "first", keyId = "k1" })
    a:call("publish_key", { publicKey = "second", keyId = "k2" })
    a:disconnect()
    expect(user("u2"):call("get_key", { userId = "u1" }))
      .to_match { publicKey = "second", keyId = "k2" }
    expect(user("u2"):call("get_key", { userId = "u3" }))
      .to_match { error = { code = "not_found" } }
  end)

  it("waits for who is away", function()
    expect(user("u2"):call("encrypted_message", { to = "u1", ciphertext = "YQ==", iv = "Yg==" }))
      .to_match { success = true, online = false }
    local a = user("u1")
    support.settle()
    expect(a:received("encrypted_message")).to_have_length(1)
  end)

  it("takes no private keys, and nothing in the clear", function()
    local a = user("u1")
    for _, private in ipairs { { kty = "EC", d = "secret" }, { kty = "oct", k = "secret" } } do
      expect(a:call("publish_key", { publicKey = private, keyId = "k" }).error).to_match {
        code = "invalid", data = { path = "$.publicKey" } }
    end
    expect(a:call("publish_key", { publicKey = { n = ("x"):rep(5000) }, keyId = "k" }).error.code)
      .to_equal("invalid")
    expect(a:call("get_key", { userId = "u1" })).to_match { error = { code = "not_found" } }
    expect(a:call("encrypted_message", { to = "u2", ciphertext = "YQ==", iv = "Yg==", text = "hi" })
      .error.data.path).to_equal("$.text")
    expect(a:call("encrypted_message", { to = "u2", ciphertext = "not base64!", iv = "Yg==" })
      .error.data.path).to_equal("$.ciphertext")
  end)

  it("leaves half of the mailbox to the back end", function()
    settings { ["mailbox.limit"] = 4 }
    local a = user("u1")
    local message = { to = "u2", ciphertext = "YQ==", iv = "Yg==" }
    for _ = 1, 2 do expect(a:call("encrypted_message", message)).to_match { success = true } end
    expect(a:call("encrypted_message", message)).to_match { error = { code = "busy" } }
    for _ = 1, 2 do expect((support.notify("u2", "x"))).to_equal(200) end
    expect((support.notify("u2", "x"))).to_equal(503)
  end)

  it("is limited by the minute, too", function()
    settings { ["limits.messages_per_minute"] = 1 }
    local a = user("u1")
    local message = { to = "u2", ciphertext = "YQ==", iv = "Yg==" }
    expect(a:call("encrypted_message", message)).to_match { success = true }
    expect(a:call("encrypted_message", message)).to_match { error = { code = "rate_limited" } }
  end)
end)
