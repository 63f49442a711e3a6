-- Changes a bucket of state. A: { bucket, ttl or false, { key, number of ARGV or 0, ... } }, no
-- changes to read. Returns the whole bucket as field, value, ...; a value begins with its place in
-- the order in which the keys were first set.
local key = P .. 'st:' .. A[1]
local over = call('ZSCORE', P .. 'sb', A[1])
if over and tonumber(over) <= now then
  call('DEL', key)
end
local changes = A[3]
for i = 1, #changes, 2 do
  local field, number = 'k' .. changes[i], changes[i + 1]
  if number == 0 then
    call('HDEL', key, field)
  else
    local before = call('HGET', key, field)
    local place = before and string.sub(before, 1, 16)
      or string.format('%016.0f', call('HINCRBY', key, 'n', 1))
    call('HSET', key, field, place .. ARGV[number])
  end
end
if #changes > 0 then
  if call('HLEN', key) <= call('HEXISTS', key, 'n') then
    call('DEL', key)
    zrem(P .. 'sb', A[1])
  elseif A[2] then
    zadd(P .. 'sb', now + A[2], A[1])
    if not fake then
      call('PEXPIRE', key, math.ceil(A[2] / 1000))
    end
  elseif not over or tonumber(over) <= now then
    zadd(P .. 'sb', '+inf', A[1])
  end
  commit()
end
return call('HGETALL', key)
