#include "core/script/test_bench.hpp"

namespace moonwire::script {
namespace {

// Lua, because it is mostly about Lua values and Lua functions, and needs no more of C++ than where
// it was called and what a schema is.
constexpr std::string_view kPrelude = R"lua(
local env, tools = ...
local schema = env.require "schema"
local null = env.null
local MAX_DIFFERENCES, MAX_SHOWN = 5, 200

-- Values as text.

local function is_name(key) return type(key) == "string" and key:find("^[%a_][%w_]*$") ~= nil end

local function sorted_keys(value)
  local keys = {}
  for key in pairs(value) do keys[#keys + 1] = key end
  table.sort(keys, function(a, b)
    if type(a) == type(b) and type(a) ~= "boolean" then return a < b end
    return type(a) < type(b)
  end)
  return keys
end

local show

local function show_table(value, depth)
  if depth > 4 then return "{…}" end
  local parts, length, size = {}, #value, 0
  for _, key in ipairs(sorted_keys(value)) do
    local text = show(value[key], depth + 1)
    if not (type(key) == "number" and key >= 1 and key <= length) then
      text = (is_name(key) and key or "[" .. show(key, depth + 1) .. "]") .. " = " .. text
    end
    parts[#parts + 1], size = text, size + #text
    if size > MAX_SHOWN then parts[#parts + 1] = "…" break end
  end
  if #parts == 0 then return "{}" end
  return "{ " .. table.concat(parts, ", ") .. " }"
end

function show(value, depth)
  if type(value) == "string" then
    if #value > MAX_SHOWN then value = value:sub(1, MAX_SHOWN) .. "…" end
    return '"' .. value:gsub('[%c"\\]', function(c)
      if c == "\n" then return "\\n" end
      if c == '"' or c == "\\" then return "\\" .. c end
      return string.format("\\%d", c:byte())
    end) .. '"'
  end
  if type(value) == "number" then return string.format("%.14g", value) end
  if tools.is_schema(value) then return "a value that the schema allows" end
  if type(value) == "table" then
    local meta = getmetatable(value)
    if type(meta) == "table" and meta.__tostring then return tostring(value) end
    return show_table(value, depth or 0)
  end
  return tostring(value)
end

-- Comparing. A schema among what is expected stands for every value that it allows.

local function compare(expected, actual, path, subset, found, depth)
  if #found >= MAX_DIFFERENCES or rawequal(expected, actual) then return end
  if tools.is_schema(expected) then
    local _, problem = schema.check(expected, actual)
    if problem then
      found[#found + 1] = path .. problem.path:sub(2) .. ": " .. problem.message
    end
  elseif type(expected) == "table" and type(actual) == "table" and depth < 100 then
    for _, key in ipairs(sorted_keys(expected)) do
      local at = path .. "." .. tostring(key)
      if actual[key] ~= nil then
        compare(expected[key], actual[key], at, subset, found, depth + 1)
      elseif not tools.is_schema(expected[key]) or not schema.check(expected[key], nil) then
        found[#found + 1] = at .. ": expected " .. show(expected[key]) .. ", got nothing"
      end
    end
    if subset then return end
    for _, key in ipairs(sorted_keys(actual)) do
      if expected[key] == nil then
        found[#found + 1] = path .. "." .. tostring(key) .. ": unexpected " .. show(actual[key])
      end
    end
  elseif expected ~= actual and not (expected ~= expected and actual ~= actual) then
    found[#found + 1] = path .. ": expected " .. show(expected) .. ", got " .. show(actual)
  end
end

local function differences(expected, actual, subset)
  local found = {}
  compare(expected, actual, "$", subset, found, 0)
  if #found == 0 then return nil end
  if #found >= MAX_DIFFERENCES then found[MAX_DIFFERENCES] = "…" end
  if #found == 1 and found[1]:sub(1, 3) == "$: " then return found[1]:sub(4) end
  return "not as expected\n  " .. table.concat(found, "\n  ")
end

-- Each gives why the value is wrong (nil if it is right), and what the opposite says.

local matchers = {}

function matchers.to_equal(actual, expected)
  return differences(expected, actual), "expected anything but " .. show(expected)
end

function matchers.to_match(actual, expected)
  if type(expected) == "string" and type(actual) == "string" then
    return not actual:find(expected) and show(actual) .. " does not match " .. show(expected) or nil,
      show(actual) .. " matches " .. show(expected)
  end
  return differences(expected, actual, true), show(actual) .. " has all of " .. show(expected)
end

function matchers.to_be_nil(actual)
  return actual ~= nil and "expected nil, got " .. show(actual) or nil, "expected a value, got nil"
end

function matchers.to_be_near(actual, expected, tolerance)
  tolerance = tolerance or 1e-6
  local near = type(actual) == "number" and math.abs(actual - expected) <= tolerance
  return not near and string.format("expected %s within %s, got %s", show(expected),
                                    show(tolerance), show(actual)) or nil,
    "expected a value farther from " .. show(expected) .. ", got " .. show(actual)
end

function matchers.to_contain(actual, item)
  local found = false
  if type(actual) == "string" then
    found = actual:find(item, 1, true) ~= nil
  elseif type(actual) == "table" then
    for _, value in pairs(actual) do found = found or differences(item, value) == nil end
  end
  return not found and show(actual) .. " does not contain " .. show(item) or nil,
    show(actual) .. " contains " .. show(item)
end

function matchers.to_have_length(actual, length)
  local real = (type(actual) == "table" or type(actual) == "string" or env.is_bytes(actual))
    and #actual or nil
  return real ~= length and string.format("expected %d of them, got %s: %s", length,
                                          tostring(real), show(actual)) or nil,
    "expected another length than " .. tostring(length)
end

function matchers.to_error(actual, pattern)
  local ok, problem = pcall(actual)
  if ok then return "expected an error, got none", nil end
  local text = tostring(problem)
  if pattern and not text:find(pattern) and not text:find(pattern, 1, true) then
    return "expected an error with " .. show(pattern) .. ", got " .. show(text), nil
  end
  return nil, "expected no error, got " .. show(text)
end

local expectation = {}

function expectation.__index(self, name)
  if name == "never" then
    return setmetatable({ value = rawget(self, "value"), negated = not self.negated }, expectation)
  end
  local matcher = matchers[name]
  if not matcher then error("expect has no '" .. tostring(name) .. "'", 2) end
  return function(...)
    if rawequal((...), self) then error("expect(x)." .. name .. " takes a dot, not a colon", 2) end
    local why, why_not = matcher(rawget(self, "value"), ...)
    if self.negated then why = not why and why_not or nil end
    if why then error(why, 2) end
  end
end

function env.expect(value) return setmetatable({ value = value, negated = false }, expectation) end

-- Declaring.

local tests = {}
local suite = { before = {}, after = {} }
local running = false
local expected_logs = {}

local function check_declaration(call, name, body)
  if running then error(call .. " can't be used inside a test", 3) end
  if type(name) ~= "string" then error(call .. " takes a name and a function", 3) end
  if body ~= nil and type(body) ~= "function" then
    error(call .. " takes a name and a function", 3)
  end
end

local function full_name(name) return suite.name and suite.name .. " > " .. name or name end

local function declare_suite(name, body, skipped)
  local outer = suite
  suite = { name = full_name(name), before = {}, after = {}, outer = outer,
            skipped = skipped or outer.skipped }
  body()
  suite = outer
end

local function declare_test(name, body, skipped)
  tests[#tests + 1] = { name = full_name(name), body = body, suite = suite,
                        skipped = skipped or suite.skipped or not body, where = tools.where(3) }
end

env.describe = setmetatable({
  skip = function(name, body)
    check_declaration("describe.skip", name, body or error)
    declare_suite(name, body, true)
  end,
}, { __call = function(_, name, body)
  check_declaration("describe", name, body)
  if not body then error("describe takes a name and a function", 2) end
  declare_suite(name, body, false)
end })

env.it = setmetatable({
  skip = function(name, body)
    check_declaration("it.skip", name, body)
    declare_test(name, body, true)
  end,
}, { __call = function(_, name, body)
  check_declaration("it", name, body)
  if not body then error("it takes a name and a function (without one: pending)", 2) end
  declare_test(name, body, false)
end })

function env.pending(name)
  check_declaration("pending", name)
  declare_test(name, nil, true)
end

function env.before_each(fn)
  check_declaration("before_each", "", fn)
  table.insert(suite.before, fn)
end

function env.after_each(fn)
  check_declaration("after_each", "", fn)
  table.insert(suite.after, fn)
end

function env.expect_error_log(pattern)
  if not running then error("expect_error_log can only be used in a test", 2) end
  if type(pattern) ~= "string" then error("expect_error_log takes a pattern", 2) end
  table.insert(expected_logs, { pattern = pattern, where = tools.where(2) })
end

-- Running.

--- A failure with the part of its traceback that is the scripts'.
local function shorten(failure)
  local text, traceback = failure:match("^(.-)\nstack traceback:(.*)$")
  if not text then return failure end
  local frames = {}
  for frame in traceback:gmatch("\n\t([^\n]*)") do
    if not frame:find("^%[C%]") and not frame:find("^%[moonwire%]") then
      frames[#frames + 1] = "\n    " .. frame
    end
  end
  if #frames < 2 then return text end
  return text .. "\n  stack traceback:" .. table.concat(frames)
end

--- What the log says against the test.
local function finish(failure)
  running = false
  local problems = { failure and shorten(failure) }
  for _, line in ipairs(env.logs()) do
    if line.level == "error" then
      local expected = false
      for _, each in ipairs(expected_logs) do
        if line.message:find(each.pattern) or line.message:find(each.pattern, 1, true) then
          each.seen, expected = true, true
        end
      end
      if not expected then
        problems[#problems + 1] = "logged an error: " .. line.message:gsub("\n", "\n  ")
      end
    end
  end
  for _, each in ipairs(expected_logs) do
    if not each.seen then
      problems[#problems + 1] = each.where .. ": no error was logged that matches "
        .. show(each.pattern)
    end
  end
  return #problems > 0 and table.concat(problems, "\n") or nil
end

--- A test's functions in order, and how many of them run only as long as none has failed.
local function begin(number)
  local steps, after, at = { tests[number].body }, {}, tests[number].suite
  while at do
    for i = #at.before, 1, -1 do table.insert(steps, 1, at.before[i]) end
    for _, fn in ipairs(at.after) do after[#after + 1] = fn end
    at = at.outer
  end
  local count = #steps
  for _, fn in ipairs(after) do steps[#steps + 1] = fn end
  expected_logs, running = {}, true
  return steps, count
end

return { tests = tests, begin = begin, finish = finish }
)lua";

}  // namespace

std::string_view test_prelude() { return kPrelude; }

}  // namespace moonwire::script
