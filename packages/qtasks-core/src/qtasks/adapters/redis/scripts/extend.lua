-- Renews leases whose token is the newest. A: { lease, { id, token, ... } }.
-- Returns { lost ids, { id, reason to cancel, ... } }.
insist()
local lost, cancelled = {}, {}
local held = A[2]
for i = 1, #held, 2 do
  local id = held[i]
  local v = read(key_of(id), 's', 'k', 'cx')
  if v and v[1] == 'l' and tonumber(v[2]) == held[i + 1] then
    zadd(P .. 'l', now + A[1], id)
    if v[3] then
      cancelled[#cancelled + 1], cancelled[#cancelled + 2] = id, v[3]
    end
  else
    lost[#lost + 1] = id
  end
end
commit()
return { lost, cancelled }
