-- /workers, with `moonwire run --demo`: tools of the broker's own for the page, which tell how far
-- they are, and a word to everybody now and then.
local ns = namespace "/workers"

local schema = require "schema"
local tools = require "lib.tools"

local STEP_SECONDS = 0.4
local SENTENCES = 2
local TIP_SECONDS = 20
local TIPS = {
  "Ask a tool, and reload the page while it works: the answer finds its way back.",
  "Open this page twice to talk to yourself in the lobby.",
  "What you write on the page “Private” is encrypted in your browser.",
  "Stop the broker while a tool works, and start it again.",
}

local function words(text)
  local list = {}
  for word in text:gmatch("[^%s%p]+") do list[#list + 1] = word:lower() end
  return list
end

local function text_of(job)
  if type(job.message) ~= "string" then fail("invalid", "this tool takes a text") end
  return job.message
end

--- The sentences with the text's most frequent longer words, in the order in which they stand.
local function summary_of(text)
  local counts = {}
  for _, word in ipairs(words(text)) do
    if #word > 3 then counts[word] = (counts[word] or 0) + 1 end
  end
  local sentences = {}
  for sentence in text:gmatch("[^.!?]+[.!?]*") do
    local score, of = 0, words(sentence)
    for _, word in ipairs(of) do score = score + (counts[word] or 0) end
    sentence = sentence:match("^%s*(.-)%s*$")
    if sentence ~= "" then
      sentences[#sentences + 1] = { text = sentence, place = #sentences,
                                    score = score / math.max(1, #of) }
    end
  end
  table.sort(sentences, function(a, b)
    if a.score ~= b.score then return a.score > b.score end
    return a.place < b.place
  end)
  for i = #sentences, SENTENCES + 1, -1 do sentences[i] = nil end
  table.sort(sentences, function(a, b) return a.place < b.place end)
  local best = {}
  for i, sentence in ipairs(sentences) do best[i] = sentence.text end
  return table.concat(best, " ")
end

local function steps(progress, names)
  for i, name in ipairs(names) do
    progress(math.floor((i - 1) / #names * 100), name)
    sleep(STEP_SECONDS)
  end
  progress(100, "done")
end

tools.add("summarise", function(job, progress)
  local text = text_of(job)
  steps(progress, { "reading", "counting words", "weighing sentences", "choosing", "writing" })
  return summary_of(text)
end)

tools.add("echo", function(job, progress)
  steps(progress, { "listening", "repeating" })
  return job.message
end)

tools.add("statistics", function(job, progress)
  local text = text_of(job)
  steps(progress, { "counting letters", "counting words", "counting lines" })
  local _, lines = text:gsub("\n", "")
  return string.format("%d characters, %d words, %d lines", #text, #words(text), lines + 1)
end)

tools.add("fail", function(_, progress)
  steps(progress, { "trying" })
  fail("too_hard", "this tool never succeeds")
end)

-- The page's visitors come with tokens, as an application's users would.
route("GET", "/demo/gateway/token", function(request)
  local user, problem = schema.check(schema.string { min = 1, max = 40, pattern = "^[%w._-]+$" },
                                     request.query.user)
  if problem then fail("invalid", "user: " .. problem.message) end
  return 200, { token = require("plugin.jwt").sign({ sub = user, role = "user" }, 86400) },
    { ["cache-control"] = "no-store" }
end)

spawn(function()
  local i = 0
  while true do
    sleep(i == 0 and 1 or TIP_SECONDS)
    i = i % #TIPS + 1
    -- Kept until the next, so that every visitor finds one.
    ask("/gateway", "announce", { type = "tip", message = TIPS[i], keepSeconds = TIP_SECONDS })
  end
end)
