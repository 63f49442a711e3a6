-- Reads one stretch of the list of tasks, newest first. A: query with cursor or false, dead or
-- false, limit and filters. Returns { where it ends or -1 at the end, { id, place, fields, ... } }.
A = A[1]
local key = A.dead == true and P .. 'd' or P .. 'a'
local from = A.cursor and string.format('(%.0f', A.cursor) or '+inf'
local ids = call('ZREVRANGEBYSCORE', key, from, '-inf', 'WITHSCORES', 'LIMIT', 0, A.scan)
local out, found = {}, 0
local at = -1

local function failed_with(kind, name)
  return kind and (kind == name or string.sub(kind, -#name - 1) == '.' .. name)
end

-- Whether the last failure is of a type, or says a text; what it says is only there if asked for.
local function failed_or_says(v, word)
  if failed_with(v[7], word) then
    return true
  end
  local sound, error = pcall(cmsgpack.unpack, v[10] or '')
  local message = sound and type(error) == 'table' and error.message
  return type(message) == 'string' and string.find(message, word, 1, true)
end

local function fits(v)
  local moment = v and (A.dead == true and v[5] or v[4])
  return v and v[1]
    and not (v[1] == 'd' and (whole(v[9]) or 0) <= now)
    and (not A.status or (v[1] == 'l' and 'process' or v[2] or 'new') == A.status)
    and (not A.queue or v[3] == A.queue)
    and (not A.dead_given or (v[6] and true or false) == A.dead)
    and (not A.reason or (v[8] or '') == A.reason)
    and (not A.error_type or failed_with(v[7], A.error_type))
    and (not A.error or failed_or_says(v, A.error))
    and (not A.since or (whole(moment) or 0) >= A.since)
    and (not A['until'] or (whole(moment) or 0) < A['until'])
end

for i = 1, #ids, 2 do
  local v = read(key_of(ids[i]), 's', 'st', 'q', 'c', 'f', 'de', 'et', 'rn', 'g', A.error and 'er' or 'g')
  at = tonumber(ids[i + 1])
  if fits(v) then
    out[#out + 1], out[#out + 2] = ids[i], string.format('%.0f', at)
    out[#out + 1] = call('HGETALL', key_of(ids[i]))
    found = found + 1
    if found >= A.limit then
      return { at, out }
    end
  end
end
if #ids < 2 * A.scan then
  at = -1
end
return { at, out }
