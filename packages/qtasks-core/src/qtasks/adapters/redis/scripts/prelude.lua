-- What every script begins with: the time, the arguments, and writes that are collected.
--
-- KEYS[1]  the prefix of the shard, such as "qtasks:"
-- ARGV[1]  microseconds since the epoch, for tests; empty for the server's own time
-- ARGV[2]  the arguments, as msgpack
-- ARGV[3]  and the following: byte strings that the arguments point to by their number
--
-- Every number of a time is whole microseconds, which doubles hold exactly until the year 2255.
local P = KEYS[1]
local call = redis.call
local fake = ARGV[1] ~= ''
local now
if fake then
  now = tonumber(ARGV[1])
else
  local t = call('TIME')
  now = t[1] * 1000000 + t[2]
end
local A = cmsgpack.unpack(ARGV[2])
-- Commands take texts quicker than numbers, and the time is written often.
local now_text = string.format('%.0f', now)

-- Returns the whole number of a text that the server keeps, or nil: what others wrote may be anything.
local function whole(text)
  local value = tonumber(text)
  if value and value % 1 == 0 and math.abs(value) < 9007199254740992 then
    return value
  end
end

-- Returns fields of a key, or nil if it is no hash.
local function read(key, ...)
  local values = redis.pcall('HMGET', key, ...)
  if not values.err then
    return values
  elseif not string.find(values.err, 'WRONGTYPE', 1, true) then
    return call('HMGET', key, ...) -- raises the error, which is not the key's
  end
end

-- A server whose memory is full refuses scripts their first write that may need more, and lets go
-- on who has written before. So what empties queues begins with a write that needs nothing.
local function insist()
  call('UNLINK', P .. '!')
end

-- Stamps only grow, even if the server's clock goes back or its last writes were lost: they are
-- the tokens of deliveries and the places in the queues.
local last
local function stamp()
  if not last then
    last = math.max(tonumber(call('GET', P .. 'c') or '0'), now - 1)
  end
  last = last + 1
  return last
end

-- One command for many members is far cheaper than many commands.
local CHUNK = 1000
local buffers = { ZREM = {}, SREM = {}, ZADD = {}, SADD = {} }
local ORDER = { 'ZREM', 'SREM', 'ZADD', 'SADD' }
local lanes, ready, soonest, notes = {}, {}, {}, {}

-- Returns what is collected for a key: values, and how many they are as n.
local function collected(command, key)
  local list = buffers[command][key]
  if not list then
    list = { n = 0 }
    buffers[command][key] = list
  end
  return list
end
local function collect(list, a, b)
  local n = list.n + 1
  list[n] = a
  if b then
    n = n + 1
    list[n] = b
  end
  list.n = n
end
local function zadd(key, score, member)
  collect(collected('ZADD', key), score, member)
end
local function zrem(key, member)
  collect(collected('ZREM', key), member)
end
local function sadd(key, member)
  collect(collected('SADD', key), member)
end
local function srem(key, member)
  collect(collected('SREM', key), member)
end

-- Writes what was collected; removals first, so nothing may be added and removed in one go.
local function write()
  for _, command in ipairs(ORDER) do
    for key, list in pairs(buffers[command]) do
      for i = 1, list.n, CHUNK do
        call(command, key, unpack(list, i, math.min(i + CHUNK - 1, list.n)))
      end
    end
    buffers[command] = {}
  end
  for queue, priorities in pairs(lanes) do
    for priority in pairs(priorities) do
      call('ZADD', P .. 'pr:' .. queue, priority, priority)
    end
  end
  lanes = {}
end

-- A marker wakes one waiting worker, which wakes the next if it leaves something: 1 says that
-- there is work, 2 that the next due time is nearer than it was.
local function ring(key, marker)
  if call('LLEN', key) == 0 then
    call('RPUSH', key, marker)
  end
end

-- Writes everything: the last step of every script that changes something.
local function commit()
  write()
  if last then
    call('SET', P .. 'c', last)
  end
  for queue, score in pairs(soonest) do
    local key = P .. 'w:' .. queue
    local first = call('ZRANGE', P .. 'z:' .. queue, 0, 0, 'WITHSCORES')
    if not ready[key] and first[2] and tonumber(first[2]) >= score then
      ready[key] = 2
    end
  end
  for key, marker in pairs(ready) do
    ring(key, marker)
  end
  for name, told in pairs(notes) do
    local key, head = P .. 'n:' .. name, cmsgpack.pack(told.head)
    call('RPUSH', key, struct.pack('>I4', #head) .. head .. table.concat(told.values))
    call('PEXPIRE', key, 60000)
  end
end

local function wake(queue)
  ready[P .. 'w:' .. queue] = 1
end
local function wake_for_suspects(queue)
  ready[P .. 'ws:' .. queue] = 1
end
