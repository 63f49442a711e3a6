-- Settles a batch of outcomes, then claims.
--
-- A: { settlements, claim }. A settlement is { id, token, kind, attempts, snoozes, ttl, history,
-- headers, ... }, where history, headers and other byte strings are numbers of ARGV, 0 for none.
-- Returns { refused ids, deliveries, now, next due in, suspects left, given again }.
insist()
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

-- Writes what every outcome but a release says of the counts; nothing for what stays 0.
local function counts_of(s, t)
  local fields, n = {}, 0
  if s[4] ~= 0 then
    fields[1], fields[2], n = 'a', s[4], 2
  end
  if s[5] ~= 0 then
    fields[n + 1], fields[n + 2], n = 'sn', s[5], n + 2
  end
  if t.lo > 0 then
    fields[n + 1], fields[n + 2], n = 'lo', 0, n + 2
  end
  return fields, n
end

local function settle_one(s, t)
  local kind = s[3]
  local fields, n = {}, 0
  if kind ~= 'release' then
    fields, n = counts_of(s, t)
  end
  if s[7] > 0 then
    fields[n + 1], fields[n + 2], n = 'h', ARGV[s[7]], n + 2
  end
  if s[8] > 0 then
    fields[n + 1], fields[n + 2], n = 'hd', ARGV[s[8]], n + 2
  end
  if kind == 'success' then
    if s[9] > 0 then
      fields[n + 1], fields[n + 2] = 'rs', ARGV[s[9]]
    end
    finish(t, 'success', s[6], fields)
  elseif kind == 'fail' then
    fields[n + 1], fields[n + 2], fields[n + 3], fields[n + 4] = 'rn', s[9], 'et', s[10]
    fields[n + 5], fields[n + 6] = 'er', ARGV[s[11]]
    finish(t, 'error', s[6], fields)
  elseif kind == 'cancel' then
    fields[n + 1], fields[n + 2] = 'rn', s[9]
    finish(t, 'cancel', s[6], fields)
  else
    settle_back(t, s, fields)
  end
end

-- The same as settle_one() does, for most outcomes: the success of a task about which nothing has
-- to be said but that. Returns whether it was one.
local overs, lists = {}, {}
local function succeed(s)
  if s[3] ~= 'success' or s[4] ~= 0 or s[5] ~= 0 or s[6] <= 0 or s[8] > 0 then
    return false
  end
  local id, ttl = s[1], s[6]
  local key = key_of(id)
  local v = read(key, 's', 'k', 'q', 'w', 'lo', 'a', 'u', 'x', 'cx', 'wt', 'et', 'sn')
  if not v or v[1] ~= 'l' or v[2] ~= s[2] or not v[3] or not v[4]
    or v[5] or v[6] or v[7] or v[8] or v[9] or v[10] or v[11] or v[12]
  then
    return false
  end
  local over = overs[ttl]
  if not over then
    over = string.format('%.0f', now + ttl)
    overs[ttl] = over
  end
  local history, result = ARGV[s[7]], ARGV[s[9]]
  if history and result then
    call('HSET', key, 's', 'd', 'st', 'success', 'f', now_text, 'g', over, 'h', history, 'rs', result)
  elseif result then
    call('HSET', key, 's', 'd', 'st', 'success', 'f', now_text, 'g', over, 'rs', result)
  elseif history then
    call('HSET', key, 's', 'd', 'st', 'success', 'f', now_text, 'g', over, 'h', history)
  else
    call('HSET', key, 's', 'd', 'st', 'success', 'f', now_text, 'g', over)
  end
  if not fake then
    call('PEXPIRE', key, math.ceil(ttl / 1000))
  end
  local who = v[3] .. ' ' .. v[4]
  local mine = lists[who]
  if not mine then
    mine = {
      collected('ZREM', P .. 'l'), collected('ZREM', P .. 'b:' .. v[3]),
      collected('SREM', P .. 'h:' .. v[4]), collected('ZADD', P .. 'f:' .. v[3]),
    }
    lists[who] = mine
  end
  collect(mine[1], id)
  collect(mine[2], id)
  collect(mine[3], id)
  collect(mine[4], over, id)
  return true
end

local function settle(s)
  local t = look(s[1])
  if not t then
    -- Gone is also what an outcome without a record leaves behind, so that may be a repetition.
    if s[6] > 0 or s[3] == 'retry' or s[3] == 'release' then
      refused[#refused + 1] = s[1]
    end
  elseif t.k ~= s[2] then
    refused[#refused + 1] = s[1]
  elseif t.s == 'l' then
    settle_one(s, t)
  end
end

for _, s in ipairs(A[1]) do
  if not succeed(s) then
    settle(s)
  end
end
write()

local out, claim = {}, A[2]
local want, suspects, budget, room = claim.limit, claim.suspects, 1000, 8388608 -- bytes
local passed, next_due, again = 0, -1, 0

-- What a lost reply had handed out is handed out again, or given back where there is no room.
if claim.again[1] then
  local unsure = {}
  for _, name in ipairs(claim.again) do
    unsure[name] = true
  end
  for _, id in ipairs(call('SMEMBERS', P .. 'h:' .. claim.worker)) do
    local v = read(key_of(id), 'cn', 'k', 'm', 'a', 'n', 'lo', 'sn', 'c', 'du', 'h', 'hd', 'q',
      'x')
    local t = v and unsure[v[1]] and look(id)
    if t and t.s == 'l' then
      if want > 0 then
        want = want - 1
        again = again + 1
        if t.lo > 0 then
          suspects = suspects - 1
        end
        zadd(P .. 'l', now + claim.lease, id)
        local n = out.n or 0
        out[n + 1] = id
        for i = 2, 13 do
          out[n + i] = v[i]
        end
        out.n = n + 13
      else
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
    local v = read(key_of(id_of(member)), 'p')
    zrem(P .. 'z:' .. queue, member)
    collect(lane(queue, level(v and v[1])), ids[i + 1], member)
  end
  write()
end

local to
-- Makes a task of a damaged key, so that a worker reports it by its id; its message is lost.
local function restore(queue, id)
  local key = key_of(id)
  if call('EXISTS', key) == 0 then
    zrem(P .. 'a', id)
    return nil
  end
  call('UNLINK', key)
  call('HSET', key, 'm', '', 'q', queue, 'c', now_text, 'i', NOWHERE, 's', 'w', 'p', 0)
  return call('HMGET', key, unpack(HANDED))
end

local function take(queue, id)
  local v = read(key_of(id), unpack(HANDED))
  if not v or not v[1] then
    v = restore(queue, id)
    if not v then
      return
    end
  end
  local state = v[11]
  if state ~= 'w' and STATES[state] then
    return -- it is elsewhere by now
  end
  if v[12] ~= queue then
    call('HSET', key_of(id), 'q', queue)
  end
  local x = v[2] and whole(v[2])
  local t = x and x <= now and look(id)
  if t then
    budget = budget - 1
    lapse(t, claim.result_ttl)
  else
    hand_out(id, queue, v, claim, to, out)
    want = want - 1
    room = room - #v[1]
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
  to = leases_of(queue, claim)
  local list, first = {}, 1
  if suspects > 0 then
    list = call('ZRANGE', P .. 's:' .. queue, 0, math.min(suspects, want) - 1, 'WITHSCORES')
  end
  local left = false
  for _, priority in ipairs(call('ZRANGE', P .. 'pr:' .. queue, 0, -1)) do
    first = take_suspects(queue, list, first, tonumber(priority))
    local lane = P .. 'r:' .. priority .. ':' .. queue
    while want > 0 and budget > 0 and room > 0 do
      local ids = call('ZPOPMIN', lane, math.min(want, CHUNK))
      if #ids == 0 then
        call('ZREM', P .. 'pr:' .. queue, priority)
        break
      end
      for i = 1, #ids, 2 do
        if room > 0 then
          take(queue, id_of(ids[i]))
        else
          left = true
          collect(collected('ZADD', lane), ids[i + 1], ids[i])
        end
      end
    end
    if want <= 0 or budget <= 0 or room <= 0 then
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
  if room <= 0 then
    wake(queue) -- its marker may be what led here
  elseif call('SISMEMBER', P .. 'pz', queue) == 0 then
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
