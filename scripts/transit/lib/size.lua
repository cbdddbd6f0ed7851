-- What is kept or handed on must be plain JSON of bounded size.
local size = {}

-- Deeper than what it will be part of, so that nothing taken in is too deep to be sent.
local function wrapped(value) return { { { { value } } } } end

--- Refuses data over so many bytes as JSON, and what JSON can't say.
function size.refuse_over(bytes, value)
  local ok, text = pcall(json.encode, wrapped(value))
  if not ok then
    fail("invalid", "data must be JSON without binary, and not so deeply nested",
         { field = "data" })
  end
  if #text - 8 > bytes then
    fail("too_large", string.format("data may have %d bytes as JSON, got %d", bytes, #text - 8),
         { field = "data" })
  end
end

return size
