-- Cancels tasks. A: { ids, reason, limits }. Returns one answer for each.
insist()
local answers = {}
for i, id in ipairs(A[1]) do
  local t = look(id)
  if not t then
    answers[i] = 'unknown'
  elseif t.s == 'd' then
    answers[i] = 'finished'
  elseif t.s == 'l' then
    answers[i] = 'requested'
    call('HSETNX', key_of(id), 'cx', A[2])
  else
    answers[i] = 'cancelled'
    finish(t, 'cancel', A[3].result_ttl, { 'rn', A[2] })
    write()
  end
end
commit()
return answers
