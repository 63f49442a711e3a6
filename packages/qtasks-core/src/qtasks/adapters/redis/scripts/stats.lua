-- Counts the tasks of a queue. A: queue. Only reads.
local queue = A[1]
local ready = call('ZCARD', P .. 's:' .. queue)
local oldest = -1
local function older(due)
  due = whole(due)
  if due and (oldest < 0 or due < oldest) then
    oldest = due
  end
end
for _, priority in ipairs(call('ZRANGE', P .. 'pr:' .. queue, 0, -1)) do
  local lane = P .. 'r:' .. priority .. ':' .. queue
  ready = ready + call('ZCARD', lane)
  older(call('ZRANGEBYSCORE', lane, 0, '+inf', 'WITHSCORES', 'LIMIT', 0, 1)[2])
  local returned = call('ZRANGEBYSCORE', lane, '-inf', '(0', 'WITHSCORES', 'LIMIT', 0, 1)[2]
  older(returned and returned + RETURNED)
end
for _, id in ipairs(call('ZRANGE', P .. 's:' .. queue, 0, 99)) do
  local due = redis.pcall('HGET', key_of(id), 'du')
  older(type(due) == 'string' and due or nil)
end
local delayed, due, next_due = 0, 0, -1
for _, key in ipairs({ P .. 'z:' .. queue, P .. 'o:' .. queue }) do
  delayed = delayed + call('ZCARD', key)
  due = due + call('ZCOUNT', key, '-inf', now)
  older(call('ZRANGEBYSCORE', key, '-inf', now, 'WITHSCORES', 'LIMIT', 0, 1)[2])
  local first = call('ZRANGEBYSCORE', key, '(' .. string.format('%.0f', now), '+inf', 'WITHSCORES',
    'LIMIT', 0, 1)[2]
  if first and (next_due < 0 or tonumber(first) < next_due) then
    next_due = tonumber(first)
  end
end
-- Those that are on their way to a broker elsewhere are due, whenever they are handed out again.
local leaving = math.min(call('SCARD', P .. 'oh:' .. queue), delayed - due)
due = due + leaving
local busy = call('ZRANGE', P .. 'b:' .. queue, 0, 0, 'WITHSCORES')
local after = '(' .. string.format('%.0f', now)
return {
  ready + due, delayed - due, call('ZCARD', P .. 'b:' .. queue),
  call('ZCOUNT', P .. 'd:' .. queue, after, '+inf'),
  call('SISMEMBER', P .. 'pz', queue), oldest, tonumber(busy[2] or -1), next_due,
  call('ZCOUNT', P .. 'f:' .. queue, after, '+inf'),
  tonumber(call('HGET', P .. 'dr', queue) or 0), now,
}
