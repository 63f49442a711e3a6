-- Adds to a counter. A: { key, amount as text, ttl or false }. Returns its value as text.
local over = call('ZSCORE', P .. 'ce', A[1])
if over and tonumber(over) <= now then
  call('HDEL', P .. 'ct', A[1])
  zrem(P .. 'ce', A[1])
end
if A[2] ~= '0' then
  if A[3] and call('HEXISTS', P .. 'ct', A[1]) == 0 then
    zadd(P .. 'ce', now + A[3], A[1])
  end
  call('HINCRBY', P .. 'ct', A[1], A[2])
end
commit()
return call('HGET', P .. 'ct', A[1]) or '0'
