-- Lists what a worker holds. A: { worker }. Only reads.
-- Returns { id, token, queue, ... }.
local out = {}
for _, id in ipairs(call('SMEMBERS', P .. 'h:' .. A[1])) do
  local v = read(key_of(id), 's', 'k', 'q', 'w')
  if v and v[1] == 'l' and v[4] == A[1] then
    out[#out + 1], out[#out + 2], out[#out + 3] = id, v[2], v[3]
  end
end
return out
