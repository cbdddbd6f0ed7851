---@meta schema

---@class moonwire.schema
local schema = {}

---@class moonwire.RangeOptions
---@field min? number
---@field max? number
---@field description? string

---@class moonwire.StringOptions: moonwire.RangeOptions
---@field pattern? string a Lua pattern
---@field format? "date-time"|"uuid"|"email"|"uri"

---@class moonwire.SchemaOptions
---@field description? string

---@class moonwire.ObjectOptions: moonwire.SchemaOptions
---@field additional? boolean false: no other fields

---@class moonwire.SchemaProblem
---@field path string "$.ride.fare"
---@field message string
---@field rule string
---@field expected string
---@field got string

---@param fields table<string, moonwire.Schema>|moonwire.ObjectOptions
---@param options? moonwire.ObjectOptions
---@return moonwire.Schema
function schema.object(fields, options) end

---@param element moonwire.Schema
---@param options? moonwire.RangeOptions
---@return moonwire.Schema
function schema.array(element, options) end

---Any keys.
---@param value moonwire.Schema
---@param options? moonwire.SchemaOptions
---@return moonwire.Schema
function schema.map(value, options) end

---`min` and `max` count characters.
---@param options? moonwire.StringOptions
---@return moonwire.Schema
function schema.string(options) end

---@param options? moonwire.RangeOptions
---@return moonwire.Schema
function schema.number(options) end

---@param options? moonwire.RangeOptions
---@return moonwire.Schema
function schema.integer(options) end

---@param options? moonwire.SchemaOptions
---@return moonwire.Schema
function schema.boolean(options) end

---@param options? moonwire.SchemaOptions
---@return moonwire.Schema
function schema.any(options) end

---`min` and `max` count bytes.
---@param options? moonwire.RangeOptions
---@return moonwire.Schema
function schema.binary(options) end

---@param values (string|number|boolean)[]
---@param options? moonwire.SchemaOptions
---@return moonwire.Schema
function schema.enum(values, options) end

---@param alternatives moonwire.Schema[]
---@param options? moonwire.SchemaOptions
---@return moonwire.Schema
function schema.one_of(alternatives, options) end

---May be missing.
---@param value moonwire.Schema
---@param options? moonwire.SchemaOptions
---@return moonwire.Schema
function schema.optional(value, options) end

---May be null.
---@param value moonwire.Schema
---@param options? moonwire.SchemaOptions
---@return moonwire.Schema
function schema.nullable(value, options) end

---Filled in where it is missing.
---@param value moonwire.Schema
---@param default moonwire.Value
---@param options? moonwire.SchemaOptions
---@return moonwire.Schema
function schema.default(value, default, options) end

---A name for the types that `moonwire types` writes.
---@param name string a capital letter, then letters, digits and _
---@param value moonwire.Schema
---@param options? moonwire.SchemaOptions
---@return moonwire.Schema
function schema.named(name, value, options) end

---A whole argument of `ns:on` as the client wrote it: see moonwire.Raw.
---@return moonwire.Schema
function schema.raw() end

---Checks by hand: the value with its defaults, or nil and the problem.
---@param schema moonwire.Schema
---@param value moonwire.Value
---@return moonwire.Value
---@return moonwire.SchemaProblem|nil
function schema.check(schema, value) end

return schema
