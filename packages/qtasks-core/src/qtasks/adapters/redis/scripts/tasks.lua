-- What can happen to a task, whoever asks for it.
--
-- A task is the hash t:<id>. Its state s is where it waits:
--   w  in a lane r:<priority>:<queue>, among the delayed z:<queue> or the suspects s:<queue>;
--      lanes and delayed are ordered by due time, then by creation, for which a member begins with
--      the task's place in that order
--   l  in the hands of a worker: leases l, the busy of its queue b:<queue>, the worker's h:<worker>
--   o  on the schedule o:<queue>, b at a broker elsewhere: only for tasks whose queue is elsewhere;
--      oh:<queue> has those of the schedule that are on their way there
--   d  nowhere, it has ended: f:<queue> by when its record goes; dead letters also in d and d:<queue>
local RETURNED = 4503599627370496 -- 2^52: puts what was given back before all others of its lane
local LEVEL = 17592186044416 -- 2^44: one priority in the scores of suspects, which count milliseconds
-- What a task that waits for its turn has no field for: st is new, p is 0, du is c.
local FIELDS =
  { 's', 'k', 'q', 'p', 'u', 'x', 'cx', 'lo', 'w', 'wt', 'aw', 'et', 'g', 'de', 'du', 'hh', 'i', 'c' }

local function key_of(id)
  return P .. 't:' .. id
end
local function member_of(t)
  return t.i .. t.id
end
local function id_of(member)
  return string.sub(member, 17)
end

local STATES = { w = true, l = true, o = true, b = true, d = true }
local NOWHERE = string.rep('0', 16)

-- Returns a priority as it names lanes; one that cannot be is 0.
local function level(text)
  local value = whole(text)
  return value and value >= -128 and value <= 127 and string.format('%d', value) or '0'
end

-- Returns a task as a table, or nil; one whose time is over counts as gone, and so does one whose
-- key somebody damaged so much that nobody can tell where it is.
local function look(id)
  local v = read(key_of(id), unpack(FIELDS))
  if not v or not STATES[v[1]] or not v[3] then
    return nil
  end
  local t = {
    id = id, s = v[1], k = v[2], q = v[3], p = level(v[4]), u = v[5], x = whole(v[6]), cx = v[7],
    lo = whole(v[8]) or 0, w = v[9] or '', wt = v[10], aw = v[11], et = v[12], g = whole(v[13]) or 0,
    de = v[14], du = whole(v[15]) or whole(v[18]) or now, hh = v[16],
    i = v[17] and #v[17] == 16 and v[17] or NOWHERE,
  }
  if t.s == 'd' and t.g <= now then
    return nil, t
  end
  return t
end

local function overdue(t)
  return t.x and t.x <= now
end

-- Forgets a task that has ended and whose time is over.
local function sweep_away(t)
  call('UNLINK', key_of(t.id))
  zrem(P .. 'a', t.id)
  zrem(P .. 'f:' .. t.q, t.id)
  if t.de then
    zrem(P .. 'd', t.id)
    zrem(P .. 'd:' .. t.q, t.id)
  end
end

-- Takes a task from where it waits, or out of the hands of its worker.
local function leave(t)
  if t.s == 'l' then
    zrem(P .. 'l', t.id)
    zrem(P .. 'b:' .. t.q, t.id)
    srem(P .. 'h:' .. t.w, t.id)
  elseif t.s == 'w' then
    zrem(P .. 'r:' .. t.p .. ':' .. t.q, member_of(t))
    zrem(P .. 'z:' .. t.q, member_of(t))
    if t.lo > 0 then
      zrem(P .. 's:' .. t.q, t.id)
    end
  elseif t.s == 'o' then
    zrem(P .. 'o:' .. t.q, t.id)
    srem(P .. 'oh:' .. t.q, t.id)
  end
end

-- Returns what is collected for a lane, in which something is to be ready.
local function lane(queue, priority)
  local mine = lanes[queue]
  if not mine then
    mine = {}
    lanes[queue] = mine
  end
  if not mine[priority] then
    mine[priority] = true
    ready[P .. 'w:' .. queue] = 1
  end
  return collected('ZADD', P .. 'r:' .. priority .. ':' .. queue)
end

-- Lets a task wait until it is due; rank is 'ordinary', 'returned' or 'suspect'.
local function line_up(t, due, rank, fields)
  local state = 'w'
  if t.aw then
    state = 'o'
    zadd(P .. 'o:' .. t.q, due, t.id)
    if t.hh then
      call('HDEL', key_of(t.id), 'hh')
    end
  elseif due > now then
    zadd(P .. 'z:' .. t.q, due, member_of(t))
    soonest[t.q] = math.min(soonest[t.q] or due, due)
  elseif rank == 'suspect' then
    zadd(P .. 's:' .. t.q, (t.p + 128) * LEVEL + math.floor(now / 1000), t.id)
    wake_for_suspects(t.q)
  else
    local score = rank == 'returned' and now - RETURNED or due
    collect(lane(t.q, t.p), score, member_of(t))
  end
  if t.x then
    zadd(P .. 'x', t.x, t.id)
  end
  local n = #fields
  fields[n + 1], fields[n + 2], fields[n + 3], fields[n + 4] = 's', state, 'du', due
  call('HSET', key_of(t.id), unpack(fields))
end

-- Who waits leaves a name with the task, in wt: bare for its end, with ~ before it for its values
-- too. Whoever is told finds the task's id in the list of the name; and its whole record, if it is
-- short and success was its end. From a dead letter the task may come back while the note lies there.
local function leave_name(key, names, name)
  if not names then
    call('HSET', key, 'wt', name)
  elseif not string.find(',' .. names .. ',', ',' .. name .. ',', 1, true) then
    call('HSET', key, 'wt', names .. ',' .. name)
  end
end
local function note(name, id)
  local told = notes[name]
  if not told then
    told = { head = {}, values = {} }
    notes[name] = told
  end
  local lengths = {}
  told.head[#told.head + 1] = { id, lengths }
  return lengths, told.values
end
local function tell(t)
  if t.wt then
    for name in string.gmatch(t.wt, '[^,~]+') do
      note(name, t.id)
    end
  end
end
local NOTED = 4096 -- bytes of a record that goes with a note
local function tell_success(t, key)
  if not t.wt then
    return
  end
  local record, size = call('HGETALL', key), 0
  for _, value in ipairs(record) do
    size = size + #value
  end
  for mark, name in string.gmatch(t.wt, '(~?)([^,~]+)') do
    local lengths, values = note(name, t.id)
    if mark == '' and size <= NOTED then
      for i, value in ipairs(record) do
        lengths[i], values[#values + 1] = #value, value
      end
    end
  end
end

-- A unique key is a field of u: the id of the task that has it, and behind a line break when it is
-- free again, if that does not depend on the task. Who wants it looks at the task; so starting a
-- task writes nothing here.
local function keep_key(key, id, over)
  call('HSET', P .. 'u', key, id .. '\n' .. string.format('%.0f', over))
  zadd(P .. 'ux', over, key)
end

-- Returns the id that has a key, and when the key is free again or nil.
local function owner_of(key)
  local value = call('HGET', P .. 'u', key)
  local at = value and string.find(value, '\n', 1, true)
  if at then
    return string.sub(value, 1, at - 1), whole(string.sub(value, at + 1)) or 0
  end
  return value
end

-- Returns the id of the task that holds a key, or nil; and the task, if that waits.
local function holder_of(key)
  local id, over = owner_of(key)
  if not id or (over and over <= now) then
    return nil
  end
  local t = look(id)
  if over then
    return id, t and t.s ~= 'l' and t.s ~= 'd' and t or nil
  elseif not t or t.s == 'd' then
    return nil
  elseif t.s == 'l' then
    local v = read(key_of(id), 'us')
    return not (v and v[1] == 's') and id or nil
  end
  local v = read(key_of(id), 'n', 'us')
  if overdue(t) or (v and v[2] == 's' and v[1]) then
    return nil
  end
  return id, t
end

-- Frees the key of a task that is over, at once or after its window.
local function free_unique_key(t)
  if not t.u then
    return
  end
  local id, over = owner_of(t.u)
  if id ~= t.id or over then
    return
  end
  local v = read(key_of(t.id), 'uw')
  local window = v and whole(v[1])
  if window then
    keep_key(t.u, t.id, now + window)
  else
    call('HDEL', P .. 'u', t.u)
  end
end
-- Frees the key of a task that was taken away unfinished, whatever its window.
local function drop_unique_key(t)
  if t.u and owner_of(t.u) == t.id then
    call('HDEL', P .. 'u', t.u)
  end
end

-- Makes a task terminal; its record stays for ttl microseconds.
local function finish(t, status, ttl, fields)
  local key = key_of(t.id)
  leave(t)
  if t.x then
    zrem(P .. 'x', t.id)
  end
  free_unique_key(t)
  local record_stays = status == 'success' and ttl > 0
  if not record_stays then
    tell(t)
  end
  if ttl <= 0 then
    call('UNLINK', key)
    zrem(P .. 'a', t.id)
    return
  end
  local over = now + ttl
  local n = #fields
  fields[n + 1], fields[n + 2], fields[n + 3], fields[n + 4] = 's', 'd', 'st', status
  fields[n + 5], fields[n + 6], fields[n + 7], fields[n + 8] = 'f', now_text, 'g', over
  if status == 'error' then
    fields[n + 9], fields[n + 10] = 'de', 1
    zadd(P .. 'd', stamp(), t.id)
    zadd(P .. 'd:' .. t.q, over, t.id)
  end
  call('HSET', key, unpack(fields))
  if t.cx or t.wt or t.hh then
    call('HDEL', key, 'cx', 'wt', 'hh')
  end
  if status == 'success' and t.et then
    call('HDEL', key, 'et', 'er')
  end
  zadd(P .. 'f:' .. t.q, over, t.id)
  if not fake then
    call('PEXPIRE', key, math.ceil(ttl / 1000))
  end
  if record_stays then
    tell_success(t, key)
  end
end

-- Cancels a task that was not started in time; the next sweep reports it.
local function lapse(t, ttl)
  call('RPUSH', P .. 'ur', t.id)
  finish(t, 'cancel', ttl, { 'rn', 'expired' })
end

-- Ends a lease as lost: the task waits again, or is convicted, or was to be cancelled.
local function take_back(t, limits)
  local lost = t.lo + 1
  local fields = { 'lo', lost, 'k', stamp(), 'st', 'process' }
  if t.cx then
    fields[7], fields[8] = 'rn', t.cx
    finish(t, 'cancel', limits.result_ttl, fields)
    return 'cancelled'
  end
  if lost >= limits.max_lost then
    local text = 'its worker was lost ' .. lost .. ' times in a row, the last one was ' .. t.w
    local kind = 'qtasks.exc.ProcessCrashedError'
    fields[7], fields[8], fields[9], fields[10] = 'rn', 'worker_lost', 'et', kind
    fields[11], fields[12] = 'er', cmsgpack.pack({ type = kind, message = text })
    finish(t, 'error', limits.dead_ttl, fields)
    return 'convicted'
  end
  leave(t)
  t.lo = lost
  line_up(t, now, 'suspect', fields)
  return 'taken back'
end

-- Notes that there is a task of a queue; returns its place in the order of creation.
local index, known_queues -- what every publication appends to
local function register(id, queue)
  if not buffers.ZADD[P .. 'a'] then
    index = collected('ZADD', P .. 'a')
    known_queues = {}
  end
  if not known_queues[queue] then
    known_queues[queue] = true
    sadd(P .. 'qs', queue)
  end
  local place = string.format('%016.0f', stamp())
  collect(index, place, id)
  return place
end

-- Queues a new message to run as soon as possible, as most are; publish() writes the same fields.
local function queue_up(id, queue, priority, blob)
  local place = register(id, queue)
  call('HSET', key_of(id), 'm', blob, 'q', queue, 'c', now_text, 'i', place, 's', 'w', 'p', priority)
  collect(lane(queue, priority), now_text, place .. id)
end

-- Publishes one message unless its id is known or its unique key is held.
--
-- m is { id, queue, priority, delay, eta or -1, expires or -1, unique or false }, where unique is
-- { key, until, window, how long who gives way is kept or false }; blob is its encoded whole.
-- Returns 1 if it was new, 0 if it was known, or the id that holds the key.
local function publish(m, blob, beside, scheduled)
  local id, queue, priority, unique = m[1], m[2], m[3], m[7]
  local key = key_of(id)
  if call('EXISTS', key) == 1 then
    local known, rest = look(id)
    if known then
      return 0
    end
    if rest then
      sweep_away(rest)
    else
      call('UNLINK', key) -- damaged
    end
    write()
  end
  if unique then
    local holder, waits = holder_of(unique[1])
    if holder and not (unique[4] and waits) then
      return holder
    end
    if unique[2] == 'a' then
      keep_key(unique[1], id, now + unique[3])
    else
      call('HSET', P .. 'u', unique[1], id)
    end
    if holder then
      write()
      finish(waits, 'cancel', unique[4], { 'rn', 'replaced' })
      write()
    end
  end
  if not (unique or beside) and m[4] == 0 and m[5] < 0 and m[6] < 0 then
    queue_up(id, queue, priority, blob)
    return 1
  end
  local place = register(id, queue)
  local t = { id = id, q = queue, p = priority, lo = 0, i = place, aw = beside and '1' }
  local fields = { 'm', blob, 'q', queue, 'c', now_text, 'i', place, 'p', priority }
  if unique then
    fields[#fields + 1], fields[#fields + 2] = 'u', unique[1]
    if unique[2] ~= 'f' then
      fields[#fields + 1], fields[#fields + 2] = 'us', unique[2]
    elseif unique[3] > 0 then
      fields[#fields + 1], fields[#fields + 2] = 'uw', unique[3]
    end
  end
  if m[6] >= 0 then
    t.x = now + m[6]
    fields[#fields + 1], fields[#fields + 2] = 'x', t.x
  end
  if beside then
    fields[#fields + 1], fields[#fields + 2] = 'aw', 1
  end
  local due = math.max(now + m[4], m[5])
  if beside and not scheduled then
    if t.x then
      zadd(P .. 'x', t.x, id)
    end
    local n = #fields
    fields[n + 1], fields[n + 2], fields[n + 3], fields[n + 4] = 's', 'b', 'du', due
    call('HSET', key, unpack(fields))
  else
    line_up(t, due, 'ordinary', fields)
  end
  return 1
end

-- Hands a task to a worker, and appends what the worker is told to out. v holds the task's fields
-- in the order of HANDED; to has the lists that the leases go to, see leases_of().
local HANDED = { 'm', 'x', 'a', 'n', 'lo', 'sn', 'c', 'du', 'h', 'hd', 's', 'q' }
local function hand_out(id, queue, v, claim, to, out)
  local token = string.format('%.0f', stamp())
  local count = v[4] and (whole(v[4]) or 0) + 1 or '1'
  call('HSET', key_of(id), 's', 'l', 'k', token, 'w', claim.worker, 'sa', now_text, 'n', count,
    'cn', claim.nonce)
  collect(to.leases, to.over, id)
  collect(to.busy, now_text, id)
  collect(to.held, id)
  if v[2] then
    zrem(P .. 'x', id)
  end
  local n = out.n or 0
  out[n + 1], out[n + 2], out[n + 3], out[n + 4] = id, token, v[1], v[3]
  out[n + 5], out[n + 6], out[n + 7], out[n + 8] = count, v[5], v[6], v[7]
  out[n + 9], out[n + 10], out[n + 11], out[n + 12], out[n + 13] = v[8], v[9], v[10], queue, v[2]
  out.n = n + 13
end

-- Returns where the leases of a worker on the tasks of a queue are collected; good until write().
local function leases_of(queue, claim)
  return {
    leases = collected('ZADD', P .. 'l'),
    busy = collected('ZADD', P .. 'b:' .. queue),
    held = collected('SADD', P .. 'h:' .. claim.worker),
    over = string.format('%.0f', now + claim.lease),
  }
end
