-- Publishes ordinary messages in one step: to run as soon as possible, without a unique key. It is
-- what publish.lua does for them, without the functions that others need. A: { rows of messages },
-- as there; their encoded wholes follow from ARGV[3] on.
-- Returns false, and has done nothing, if the id of one is known; else what publish.lua returns.
for _, m in ipairs(A[1]) do
  if call('EXISTS', key_of(m[1])) == 1 then
    return false
  end
end
local answers, new = {}, {}
for i, m in ipairs(A[1]) do
  local id = m[1]
  if new[id] then
    answers[i] = 0
  else
    new[id] = true
    answers[i] = 1
    queue_up(id, m[2], m[3], ARGV[i + 2])
  end
end
commit()
return answers
