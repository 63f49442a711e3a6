-- What claims: hands out what is ready, in the order of queues, priorities and times.
--
-- A claim is { queues, limit, suspects, lease, worker, nonce, again, ... }, where again has the
-- nonces of claims whose replies were lost.
local claim, want, suspects, to
local budget, room = 1000, 8388608 -- tasks that have expired, bytes
local out, passed, next_due, again = {}, 0, -1, 0

-- Hands out again what a lost reply had handed out, or gives it back where there is no room.
local function hand_out_again()
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

-- Notes when the first delayed task of a queue is due; tells whether that is now.
local function first_due(queue)
  local first = call('ZRANGE', P .. 'z:' .. queue, 0, 0, 'WITHSCORES')
  local due = first[2] and tonumber(first[2]) - now
  if due and (next_due < 0 or due < next_due) then
    next_due = math.max(due, 0)
  end
  return due and due <= 0
end

local function promote(queue)
  local before = next_due
  if not first_due(queue) then
    return
  end
  local ids = call('ZRANGEBYSCORE', P .. 'z:' .. queue, '-inf', now, 'WITHSCORES', 'LIMIT', 0, 1000)
  for i = 1, #ids, 2 do
    local member = ids[i]
    local v = read(key_of(id_of(member)), 'p')
    zrem(P .. 'z:' .. queue, member)
    collect(lane(queue, level(v and v[1])), ids[i + 1], member)
  end
  write()
  next_due = before
  first_due(queue)
end

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
  local list, first, asked = {}, 1, suspects > 0
  if asked then
    list = call('ZRANGE', P .. 's:' .. queue, 0, math.min(suspects, want) - 1, 'WITHSCORES')
  end
  local left = false
  for _, priority in ipairs(call('ZRANGE', P .. 'pr:' .. queue, 0, -1)) do
    first = take_suspects(queue, list, first, tonumber(priority))
    local lane = P .. 'r:' .. priority .. ':' .. queue
    while want > 0 and budget > 0 and room > 0 do
      local most = math.min(want, CHUNK)
      local ids = call('ZPOPMIN', lane, most)
      for i = 1, #ids, 2 do
        if room > 0 then
          take(queue, id_of(ids[i]))
        else
          left = true
          collect(collected('ZADD', lane), ids[i + 1], ids[i])
        end
      end
      if #ids < 2 * most then -- that was all
        if not left then
          call('ZREM', P .. 'pr:' .. queue, priority)
        end
        break
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
  local none = asked and #list == 0
  local waiting = none and 0 or call('ZCARD', P .. 's:' .. queue)
  if waiting > 0 then
    wake_for_suspects(queue)
    if suspects <= 0 then
      passed = passed + waiting
    end
  end
end

-- Claims; what is found is in `out` then, and what there is to say of it in passed, next_due, again.
local function claim_all(request)
  claim, want, suspects = request, request.limit, request.suspects
  if claim.again[1] then
    hand_out_again()
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
end
