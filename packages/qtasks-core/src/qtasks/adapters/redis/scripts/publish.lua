-- Publishes messages in one step. A: { rows of messages, beside, scheduled }; their encoded wholes
-- follow from ARGV[3] on. Returns one answer each, see publish().
local answers = {}
for i, m in ipairs(A[1]) do
  answers[i] = publish(m, ARGV[i + 2], A[2], A[3])
end
commit()
return answers
