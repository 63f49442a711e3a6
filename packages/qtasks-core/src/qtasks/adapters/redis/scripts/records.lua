-- Reads tasks. A: { ids, name of a waiter or false }.
--
-- Without a waiter it returns id, fields, ... of every task there is. With one it returns only
-- those that have ended or are not there (fields is nil then), and lets the others tell the waiter.
-- Before them comes how many those are, and when this was.
local out = { 0, now }
if A[2] then
  insist()
end
for _, id in ipairs(A[1]) do
  local key = key_of(id)
  local v = read(key, 's', 'g', 'wt') or {}
  local there = v[1] and not (v[1] == 'd' and (whole(v[2]) or 0) <= now)
  if not A[2] then
    if there then
      out[#out + 1], out[#out + 2] = id, call('HGETALL', key)
    end
  elseif not there then
    out[#out + 1], out[#out + 2] = id, false
  elseif v[1] == 'd' then
    out[#out + 1], out[#out + 2] = id, call('HGETALL', key)
  else
    out[1] = out[1] + 1
    leave_name(key, v[3], A[2])
  end
end
return out
