-- Sends dead letters back. A: { ids, reset attempts, spread, when that begins }.
-- Returns the ids that moved. One that would hold its unique key again stays while another does.
local moved = {}
local letters = {}
local taken = {} -- by letters before: these still look dead until they are lined up
for _, id in ipairs(A[1]) do
  local t = look(id)
  if t and t.de and t.s == 'd' and not letters[id] then
    local key = t.u and not call('HGET', key_of(id), 'us') and t.u
    local held = key and (taken[key] or holder_of(key))
    if not held or held == id then
      if key then
        call('HSET', P .. 'u', key, id)
        taken[key] = id
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
