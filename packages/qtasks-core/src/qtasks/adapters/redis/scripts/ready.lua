-- Looks whether a claim may find something. A: { queues, whether suspects count }. Only reads.
-- Returns { whether there is something, microseconds until the next delayed task or -1 }.
local next_due = -1
for _, queue in ipairs(A[1]) do
  if call('SISMEMBER', P .. 'pz', queue) == 0 then
    if A[2] and call('EXISTS', P .. 's:' .. queue) == 1 then
      return { 1, 0 }
    end
    for _, priority in ipairs(call('ZRANGE', P .. 'pr:' .. queue, 0, -1)) do
      if call('EXISTS', P .. 'r:' .. priority .. ':' .. queue) == 1 then
        return { 1, 0 }
      end
    end
    local first = call('ZRANGE', P .. 'z:' .. queue, 0, 0, 'WITHSCORES')
    if first[2] then
      local due = math.max(tonumber(first[2]) - now, 0)
      if due == 0 then
        return { 1, 0 }
      end
      if next_due < 0 or due < next_due then
        next_due = due
      end
    end
  end
end
return { 0, next_due }
