-- Takes scheduled tasks that are due, for publishing elsewhere. A: { limit, lease }.
-- Returns { id, message, headers, queue, ... }.
insist()
local out, room = {}, A[1]
for _, queue in ipairs(call('SMEMBERS', P .. 'qs')) do
  local key = P .. 'o:' .. queue
  local ids = room > 0 and call('ZRANGEBYSCORE', key, '-inf', now, 'LIMIT', 0, room) or {}
  for _, id in ipairs(ids) do
    local v = read(key_of(id), 'm', 'hd', 'x')
    local x = v and whole(v[3])
    if not v or not v[1] then
      zrem(key, id)
      srem(P .. 'oh:' .. queue, id)
    elseif not x or x > now then
      call('HSET', key_of(id), 'hh', 1)
      sadd(P .. 'oh:' .. queue, id)
      zadd(key, now + A[2], id)
      local n = #out
      out[n + 1], out[n + 2], out[n + 3], out[n + 4] = id, v[1], v[2], queue
      room = room - 1
    end
  end
end
commit()
return out
