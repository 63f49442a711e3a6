-- Keeps values of running tasks. A: { id, token, number of the first value, ttl, number of the first
-- byte string, how many, ... }. What a stale run gives is dropped.

-- Tells those who wait for values, once: who wants more leaves its name again.
local function tell_readers(key, id, names)
  local others = {}
  for name in string.gmatch(names, '[^,]+') do
    if string.sub(name, 1, 1) == '~' then
      note(string.sub(name, 2), id)
    else
      others[#others + 1] = name
    end
  end
  if #others == 0 then
    call('HDEL', key, 'wt')
  else
    call('HSET', key, 'wt', table.concat(others, ','))
  end
end

-- Keeps the values whose numbers are new; returns whether there are any.
local function append(id, token, first, ttl, place, count)
  local key, kept = stream_of(id)
  local known = kept and kept.token == token and kept.following >= first
  if not known then
    kept = { first = first, following = first, largest = 0 }
    call('UNLINK', key)
  end
  local from, to = place + kept.following - first, place + count - 1
  local largest = kept.largest
  for i = from, to do
    largest = math.max(largest, #ARGV[i])
  end
  local over = now + ttl
  local header = string.format('%s %.0f %.0f %.0f', token, kept.first, over, largest)
  if known then
    call('LSET', key, 0, header)
  else
    call('RPUSH', key, header)
  end
  for i = from, to, CHUNK do
    call('RPUSH', key, unpack(ARGV, i, math.min(i + CHUNK - 1, to)))
  end
  zadd(P .. 'v', over, id)
  if not fake then
    call('PEXPIRE', key, math.ceil(ttl / 1000))
  end
  return from <= to
end

for i = 1, #A, 6 do
  local id, token = A[i], A[i + 1]
  local key = key_of(id)
  local v = read(key, 's', 'k', 'wt')
  if v and v[1] == 'l' and v[2] == token then
    if append(id, token, A[i + 2], A[i + 3], A[i + 4], A[i + 5]) and v[3] then
      tell_readers(key, id, v[3])
    end
  end
end
commit()
