-- What running tasks gave.
--
-- The list v:<id> has the values of one run, behind a header: its token, the number of its first
-- value, when it goes, and the bytes of its largest value. v has the ids of all such lists, by when
-- they go.

-- Returns the key of a task's values, and what its header says; only the key if there are none, if
-- their time is over, or if somebody damaged them.
local function stream_of(id)
  local key = P .. 'v:' .. id
  local header = redis.pcall('LINDEX', key, 0)
  if type(header) == 'table' then
    if not string.find(header.err, 'WRONGTYPE', 1, true) then
      call('LINDEX', key, 0) -- raises the error, which is not the key's
    end
    return key
  end
  local token, first, over, largest = string.match(header or '', '^(%d+) (%d+) (%d+) (%d+)$')
  if not token or tonumber(over) <= now then
    return key
  end
  first = tonumber(first)
  local following = first + call('LLEN', key) - 1
  return key, { token = token, first = first, following = following, largest = tonumber(largest) }
end
