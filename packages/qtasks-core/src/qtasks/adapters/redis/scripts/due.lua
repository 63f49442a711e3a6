-- Takes scheduled tasks that are due, for publishing elsewhere. A: { limit, lease }.
-- Returns { message, headers, ... }.
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
      out[#out + 1], out[#out + 2] = v[1], v[2]
      room = room - 1
    end
  end
end
commit()
return out
