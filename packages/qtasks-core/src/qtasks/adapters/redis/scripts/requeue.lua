-- Sends dead letters back. A: { ids, reset attempts, spread, when that begins }.
-- Returns the ids that moved. A letter whose unique key is held by an unfinished task stays.
local moved = {}
local letters = {}
for _, id in ipairs(A[1]) do
  local t = look(id)
  if t and t.de and t.s == 'd' and not letters[id] then
    local held = t.u and call('HGET', P .. 'u', t.u)
    if not held then
      if t.u then
        call('HSET', P .. 'u', t.u, id)
      end
      letters[id] = t
      moved[#moved + 1] = id
    end
  end
end
for place, id in ipairs(moved) do
  local t = letters[id]
  local key = key_of(id)
  call('PERSIST', key)
  call('HDEL', key, 'x', 'de', 'rn', 'f', 'g', 'cx', 'pg')
  call('HSET', key, 'rq', (whole(call('HGET', key, 'rq')) or 0) + 1)
  zrem(P .. 'f:' .. t.q, id)
  zrem(P .. 'd', id)
  zrem(P .. 'd:' .. t.q, id)
  t.x, t.lo = nil, 0
  local fields = { 'st', 'new', 'lo', 0 }
  if A[2] then
    fields[5], fields[6] = 'a', 0
  end
  line_up(t, now + A[4] + math.floor(A[3] * (place - 1) / #moved), 'ordinary', fields)
end
commit()
return moved
