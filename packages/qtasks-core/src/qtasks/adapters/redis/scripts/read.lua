-- Reads values that a task gave. A: { id, token, number of the first, limit, name of a waiter or
-- false }. If there are none yet, the task will tell the waiter.
--
-- Returns { 0 if nothing is known of the task, 1 if there may be more, 2 if it is over; token of the
-- run; number of the first value; values }.
local MOST = 8388608 -- bytes of values; a reply that is not over the wire after seconds is lost
local id, token, first, limit, name = A[1], A[2], A[3], A[4], A[5]
if name then
  insist()
end
local key = key_of(id)
local v = read(key, 's', 'wt') or {}
local alive = v[1] and v[1] ~= 'd'
local list, kept = stream_of(id)
local values = {}
if kept and tonumber(kept.token) >= token then
  local run = tonumber(kept.token)
  first = math.max(run == token and first or 0, kept.first)
  token = run
  local place = first - kept.first + 1 -- behind the header
  local room = math.max(1, math.floor(MOST / math.max(kept.largest, 1)))
  values = call('LRANGE', list, place, place + math.min(limit, room) - 1)
end
if name and alive and #values == 0 then
  leave_name(key, v[2], '~' .. name)
end
return { alive and 1 or (v[1] or kept) and 2 or 0, token, first, values }
