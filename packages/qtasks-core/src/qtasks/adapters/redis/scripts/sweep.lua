-- Does one bounded round of housekeeping. A: { limit, limits }.
-- Returns { taken back, convicted, expired, number of purged, whether there is more,
-- microseconds until the earliest lease ends, or false }.
insist()
local limit, limits = A[1], A[2]
local back, convicted = {}, {}
-- Of very many queues each sweep looks at some, and the next goes on from there.
local scan = call('SSCAN', P .. 'qs', call('GET', P .. 'qc') or '0', 'COUNT', 200)
local queues = scan[2]
if scan[1] ~= '0' then
  call('SET', P .. 'qc', scan[1])
else
  call('UNLINK', P .. 'qc')
end
local overdue_leases = call('ZRANGEBYSCORE', P .. 'l', '-inf', now, 'LIMIT', 0, limit)
for _, id in ipairs(overdue_leases) do
  local t = look(id)
  if t and t.s == 'l' then
    local what = take_back(t, limits)
    if what == 'taken back' then
      back[#back + 1] = id
    elseif what == 'convicted' then
      convicted[#convicted + 1] = id
    end
  else
    zrem(P .. 'l', id)
    if not t then
      for _, queue in ipairs(queues) do
        zrem(P .. 'b:' .. queue, id)
      end
    end
  end
end
write()

local reported = tonumber(call('LLEN', P .. 'ur'))
local room = limit - reported
if room > 0 then
  for _, id in ipairs(call('ZRANGEBYSCORE', P .. 'x', '-inf', now, 'LIMIT', 0, room)) do
    local t = look(id)
    if t and t.s ~= 'l' and t.s ~= 'd' then
      lapse(t, limits.result_ttl)
    else
      zrem(P .. 'x', id)
    end
  end
end
write()
local expired = call('LRANGE', P .. 'ur', 0, limit - 1)
if #expired > 0 then
  call('LTRIM', P .. 'ur', #expired, -1)
end

local seen, purged = 0, 0
for _, queue in ipairs(queues) do
  local left = limit - seen
  local ids = left > 0 and call('ZRANGEBYSCORE', P .. 'f:' .. queue, '-inf', now, 'LIMIT', 0, left)
    or {}
  for _, id in ipairs(ids) do
    local t, rest = look(id)
    seen = seen + 1
    zrem(P .. 'f:' .. queue, id)
    if not t or t.s ~= 'd' then
      if not t and call('ZSCORE', P .. 'd:' .. queue, id) then
        call('HINCRBY', P .. 'dr', queue, 1)
      end
      zrem(P .. 'd', id)
      zrem(P .. 'd:' .. queue, id)
    end
    if not t then -- the server has dropped the record by itself, or it is over by now
      zrem(P .. 'a', id)
      purged = purged + 1
      if rest then
        call('UNLINK', key_of(id))
      end
    end
  end
end

write()

-- Of too many dead letters the oldest go, which are the first whose time would be over.
for _, queue in ipairs(queues) do
  local excess = math.min(call('ZCARD', P .. 'd:' .. queue) - limits.dead_limit, limit - seen)
  for _, id in ipairs(excess > 0 and call('ZRANGE', P .. 'd:' .. queue, 0, excess - 1) or {}) do
    local t = look(id)
    seen = seen + 1
    purged = purged + 1
    call('HINCRBY', P .. 'dr', queue, 1)
    zrem(P .. 'd', id)
    zrem(P .. 'd:' .. queue, id)
    if t and t.s == 'd' and t.de then
      call('UNLINK', key_of(id))
      zrem(P .. 'a', id)
      zrem(P .. 'f:' .. queue, id)
      tell(t)
    end
  end
end
write()

-- Markers may be lost with who took them: whatever is ready has one.
for _, queue in ipairs(queues) do
  for _, priority in ipairs(call('ZRANGE', P .. 'pr:' .. queue, 0, -1)) do
    if call('EXISTS', P .. 'r:' .. priority .. ':' .. queue) == 1 then
      wake(queue)
    end
  end
  local first = call('ZRANGE', P .. 'z:' .. queue, 0, 0, 'WITHSCORES')[2]
  if first and tonumber(first) <= now then
    wake(queue)
  end
  if call('EXISTS', P .. 's:' .. queue) == 1 then
    wake_for_suspects(queue)
  end
end

for _, key in ipairs(call('ZRANGEBYSCORE', P .. 'ux', '-inf', now, 'LIMIT', 0, limit)) do
  local _, over = owner_of(key)
  if over and over <= now then
    call('HDEL', P .. 'u', key)
  end
  zrem(P .. 'ux', key)
end
for _, name in ipairs(call('ZRANGEBYSCORE', P .. 'sb', '-inf', now, 'LIMIT', 0, limit)) do
  call('DEL', P .. 'st:' .. name)
  zrem(P .. 'sb', name)
end
for _, name in ipairs(call('ZRANGEBYSCORE', P .. 'ce', '-inf', now, 'LIMIT', 0, limit)) do
  call('HDEL', P .. 'ct', name)
  zrem(P .. 'ce', name)
end
for _, name in ipairs(call('ZRANGEBYSCORE', P .. 'pw', '-inf', now, 'LIMIT', 0, limit)) do
  call('HDEL', P .. 'pd', name)
  zrem(P .. 'pw', name)
end
local given = call('ZRANGEBYSCORE', P .. 'v', '-inf', now, 'LIMIT', 0, limit)
for _, id in ipairs(given) do
  call('UNLINK', P .. 'v:' .. id)
  zrem(P .. 'v', id)
end
commit()
local more = math.max(#overdue_leases, #expired, seen, #given) >= limit
local first = call('ZRANGE', P .. 'l', 0, 0, 'WITHSCORES')[2]
return { back, convicted, expired, purged, more and 1 or 0, first and whole(first) - now or false }
