-- Settles a batch of outcomes, then claims.
--
-- A: { settlements, claim }. A settlement is { id, token, kind, attempts, snoozes, ttl, history,
-- headers, ... }, where history, headers and other byte strings are numbers of ARGV, 0 for none.
-- Returns { refused ids, deliveries, now, next due in, suspects left, given again }.
local refused = {}

local function settle_back(t, s, fields)
  local ttl = s[6]
  if t.cx then
    fields[#fields + 1], fields[#fields + 2] = 'rn', t.cx
    finish(t, 'cancel', ttl, fields)
    return
  end
  leave(t)
  if s[3] == 'release' then
    fields[#fields + 1], fields[#fields + 2] = 'st', 'new'
    line_up(t, now, t.lo > 0 and 'suspect' or 'returned', fields)
    return
  end
  local n = #fields
  fields[n + 1], fields[n + 2] = 'st', s[10] and 'retry' or 'new'
  if s[11] then
    fields[n + 3], fields[n + 4], fields[n + 5], fields[n + 6] = 'et', s[11], 'er', ARGV[s[12]]
  end
  t.lo = 0
  line_up(t, now + math.max(s[9], 0), 'ordinary', fields)
end

local function settle(s)
  local id, kind = s[1], s[3]
  local final = kind == 'success' or kind == 'fail' or kind == 'cancel'
  local t = look(id)
  if not t then
    -- Gone is also what an outcome without a record leaves behind, so that may be a repetition.
    if not (final and s[6] <= 0) then
      refused[#refused + 1] = id
    end
    return
  end
  if tonumber(t.k or '0') ~= s[2] then
    refused[#refused + 1] = id
    return
  end
  if t.s ~= 'l' then
    return
  end
  local fields = {}
  if kind ~= 'release' then
    fields = { 'a', s[4], 'sn', s[5], 'lo', 0 }
  end
  if s[7] > 0 then
    fields[#fields + 1], fields[#fields + 2] = 'h', ARGV[s[7]]
  end
  if s[8] > 0 then
    fields[#fields + 1], fields[#fields + 2] = 'hd', ARGV[s[8]]
  end
  if kind == 'success' then
    if s[9] > 0 then
      fields[#fields + 1], fields[#fields + 2] = 'rs', ARGV[s[9]]
    end
    finish(t, 'success', s[6], fields)
  elseif kind == 'fail' then
    local n = #fields
    fields[n + 1], fields[n + 2], fields[n + 3], fields[n + 4] = 'rn', s[9], 'et', s[10]
    fields[n + 5], fields[n + 6] = 'er', ARGV[s[11]]
    finish(t, 'error', s[6], fields)
  elseif kind == 'cancel' then
    fields[#fields + 1], fields[#fields + 2] = 'rn', s[9]
    finish(t, 'cancel', s[6], fields)
  else
    settle_back(t, s, fields)
  end
end

for _, s in ipairs(A[1]) do
  settle(s)
end
write()

local out, claim = {}, A[2]
local want, suspects, budget = claim.limit, claim.suspects, 1000
local passed, next_due, again = 0, -1, 0

-- What a lost reply had handed out is handed out again, or given back where there is no room.
if claim.again then
  for _, id in ipairs(call('SMEMBERS', P .. 'h:' .. claim.worker)) do
    local v = call('HMGET', key_of(id), 'cn', 'k', 'm', 'a', 'n', 'lo', 'sn', 'c', 'du', 'h', 'hd',
      'q')
    if v[1] == claim.again then
      if want > 0 then
        want = want - 1
        again = again + 1
        if tonumber(v[6] or '0') > 0 then
          suspects = suspects - 1
        end
        zadd(P .. 'l', now + claim.lease, id)
        out[#out + 1], out[#out + 2] = id, tonumber(v[2])
        for i = 3, 12 do
          out[#out + 1] = v[i]
        end
      else
        local t = look(id)
        leave(t)
        line_up(t, now, t.lo > 0 and 'suspect' or 'returned', { 'st', 'new' })
      end
    end
  end
  write()
end

local function promote(queue)
  local ids = call('ZRANGEBYSCORE', P .. 'z:' .. queue, '-inf', now, 'WITHSCORES', 'LIMIT', 0, 1000)
  for i = 1, #ids, 2 do
    local member = ids[i]
    local priority = call('HGET', key_of(id_of(member)), 'p')
    zrem(P .. 'z:' .. queue, member)
    if priority then
      zadd(P .. 'r:' .. priority .. ':' .. queue, ids[i + 1], member)
      lanes[queue] = lanes[queue] or {}
      lanes[queue][priority] = true
    end
  end
  write()
end

local function take(queue, id)
  local v = call('HMGET', key_of(id), unpack(HANDED))
  if not v[1] then
    return
  end
  if v[2] and tonumber(v[2]) <= now then
    budget = budget - 1
    lapse(look(id), claim.result_ttl)
  else
    hand_out(id, queue, v, claim, out)
    want = want - 1
  end
end

local function take_suspects(queue, list, first, priority)
  while first <= #list and want > 0 do
    if math.floor(list[first + 1] / LEVEL) - 128 > priority then
      break
    end
    call('ZREM', P .. 's:' .. queue, list[first])
    local before = want
    take(queue, list[first])
    suspects = suspects - (before - want)
    first = first + 2
  end
  return first
end

local function claim_from(queue)
  promote(queue)
  local list, first = {}, 1
  if suspects > 0 then
    list = call('ZRANGE', P .. 's:' .. queue, 0, math.min(suspects, want) - 1, 'WITHSCORES')
  end
  local left = false
  for _, priority in ipairs(call('ZRANGE', P .. 'pr:' .. queue, 0, -1)) do
    first = take_suspects(queue, list, first, tonumber(priority))
    local lane = P .. 'r:' .. priority .. ':' .. queue
    while want > 0 and budget > 0 do
      local ids = call('ZPOPMIN', lane, math.min(want, CHUNK))
      if #ids == 0 then
        call('ZREM', P .. 'pr:' .. queue, priority)
        break
      end
      for i = 1, #ids, 2 do
        take(queue, id_of(ids[i]))
      end
    end
    if want <= 0 or budget <= 0 then
      left = left or call('EXISTS', lane) == 1
    end
  end
  take_suspects(queue, list, first, 127)
  if left then
    wake(queue)
  else
    call('DEL', P .. 'w:' .. queue)
    ready[P .. 'w:' .. queue] = nil
  end
  local waiting = call('ZCARD', P .. 's:' .. queue)
  if waiting > 0 then
    wake_for_suspects(queue)
    if suspects <= 0 then
      passed = passed + waiting
    end
  end
end

for _, queue in ipairs(claim.queues) do
  if want <= 0 then
    break
  end
  if call('SISMEMBER', P .. 'pz', queue) == 0 then
    claim_from(queue)
  end
end
if want > 0 then
  for _, queue in ipairs(claim.queues) do
    local first = call('ZRANGE', P .. 'z:' .. queue, 0, 0, 'WITHSCORES')
    if first[2] and call('SISMEMBER', P .. 'pz', queue) == 0 then
      local due = math.max(tonumber(first[2]) - now, 0)
      if next_due < 0 or due < next_due then
        next_due = due
      end
    end
  end
end
commit()
return { refused, out, now, next_due, passed, again }
