-- /gateway: end-to-end encryption. The broker keeps users' public keys and passes ciphertext on;
-- what it says it can't read, nor change unnoticed.
local ns = namespace "/gateway"

local schema = require "schema"
local events = require "lib.events"
local identity = require "lib.identity"
local mailbox = require "lib.mailbox"
local rate = require "lib.rate"
local sending = require "lib.sending"

local id = identity.id
local base64 = schema.string { min = 1, max = 65536, pattern = "^[%w+/_=-]+$",
                               description = "base64" }
local MAX_KEY_BYTES = 4096
local public_key = schema.one_of {
  schema.string { min = 1, max = MAX_KEY_BYTES }, schema.object {},
}

ns:emits("encrypted_message", schema.named("EncryptedMessage", schema.object {
  messageId = schema.string(), from = id, to = id, ciphertext = base64, iv = base64,
  keyId = schema.optional(schema.string { description = "of the sender's key" }),
  timestamp = schema.string(),
}))

local function key_of(user_id) return "key:" .. user_id end

--- A JWK with its private part, as a table or as a text, or a PEM file of one.
local function holds_private(key)
  if type(key) == "string" then
    if key:find("PRIVATE KEY", 1, true) then return true end
    local is_json, decoded = pcall(json.decode, key)
    key = is_json and decoded or nil
  end
  return type(key) == "table" and (key.d ~= nil or key.k ~= nil)
end

events.on(ns, "publish_key", {
  schema.object {
    publicKey = public_key, keyId = schema.string { min = 1, max = 128 },
  },
  returns = schema.object { success = schema.enum { true }, keyId = schema.string() },
}, function(socket, data)
  local key = data.publicKey
  if holds_private(key) then
    fail("invalid", "publicKey: holds a private key; it was not kept", { path = "$.publicKey" })
  end
  sending.refuse_unfit("publicKey", key, MAX_KEY_BYTES)
  events.stored(ns.store:set(key_of(socket.data.who.userId), {
    publicKey = key, keyId = data.keyId, updatedAt = iso_time(),
  }))
  return { success = true, keyId = data.keyId }
end)

events.on(ns, "get_key", {
  schema.object { userId = id },
  returns = schema.object { userId = id, publicKey = public_key, keyId = schema.string(),
                            updatedAt = schema.string() },
}, function(_, data)
  local key = ns.store:get(key_of(data.userId))
  if not key then fail("not_found", "no key of '" .. data.userId .. "'") end
  key.userId = data.userId
  return key
end)

events.on(ns, "encrypted_message", {
  schema.object {
    additional = false,  -- nothing in the clear beside it
    to = id, ciphertext = base64, iv = base64,
    keyId = schema.optional(schema.string { max = 128 }),
  },
  returns = schema.object { success = schema.enum { true }, messageId = schema.string(),
                            online = schema.boolean() },
}, function(socket, data)
  local from = socket.data.who.userId
  rate.refuse_over(ns.state, "messages", from)
  local message = {
    messageId = uuid(), from = from, to = data.to, ciphertext = data.ciphertext, iv = data.iv,
    keyId = data.keyId, timestamp = iso_time(),
  }
  local _, online = mailbox.post(ns, identity.user_room(data.to), "encrypted_message", message)
  return { success = true, messageId = message.messageId, online = online }
end)
