-- Takes back what a worker holds. A: { worker, limit, limits }. Returns how many that were.
insist()
local ids = call('SRANDMEMBER', P .. 'h:' .. A[1], A[2])
local count = 0
for _, id in ipairs(ids) do
  local t = look(id)
  if t and t.s == 'l' and t.w == A[1] then
    take_back(t, A[3])
    count = count + 1
  else
    srem(P .. 'h:' .. A[1], id)
  end
end
commit()
return { count, #ids }
