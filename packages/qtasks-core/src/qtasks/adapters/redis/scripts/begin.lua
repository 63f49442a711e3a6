-- Takes leases on deliveries of a broker elsewhere. A: { rows of messages, claim }; their encoded
-- wholes follow from ARGV[3] on. Returns { deliveries, skipped ids, busy ids, now }.
insist()
local out, skip, busy = {}, {}, {}
local claim = A[2]

local function may_begin(t)
  if t.s == 'l' then
    take_back(t, claim)
    write()
    t = look(t.id)
  end
  if not t or t.s == 'd' then
    return false
  end
  if overdue(t) then
    lapse(t, claim.result_ttl)
    return false
  end
  -- A copy of a message whose task waits for its next run comes too early: the schedule publishes
  -- it again when it is due.
  if t.s == 'o' and not t.hh and t.du > now then
    return false
  end
  leave(t)
  return true
end

for i, m in ipairs(A[1]) do
  local id = m[1]
  publish(m, ARGV[i + 2], true, false)
  write()
  local t = look(id)
  if not t then
    skip[#skip + 1] = id -- its unique key is held by another task, or its time is over
  elseif t.s == 'l' and tonumber(call('ZSCORE', P .. 'l', id) or '0') > now then
    busy[#busy + 1] = id
  elseif may_begin(t) then
    write()
    call('HDEL', key_of(id), 'hh')
    call('HSET', key_of(id), 'aw', 1)
    hand_out(id, m[2], call('HMGET', key_of(id), unpack(HANDED)), claim,
      leases_of(m[2], claim), out)
    write()
  else
    skip[#skip + 1] = id
  end
end
commit()
return { out, skip, busy, now }
