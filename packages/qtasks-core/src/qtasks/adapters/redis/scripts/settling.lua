-- What settles a batch of outcomes.
--
-- A settlement is { id, token, kind, attempts, snoozes, ttl, history, headers, ... }, where history,
-- headers and other byte strings are numbers of ARGV, 0 for none.
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

-- Settles a batch; the ids of what was refused are in `refused` then.
local function settle_all(batch)
  for _, s in ipairs(batch) do
    if not succeed(s) then
      settle(s)
    end
  end
  write()
end
