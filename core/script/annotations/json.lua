---@meta json

return json
