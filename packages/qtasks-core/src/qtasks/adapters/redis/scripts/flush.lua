-- Removes everything, some tasks at a time. A: { limit }. Returns 1 while there is more.
-- Stamps go on, so that a token of before stays stale.
local ids = call('ZRANGE', P .. 'a', 0, A[1] - 1)
for _, id in ipairs(ids) do
  local v = read(key_of(id), 's', 'w', 'wt') or {}
  tell({ id = id, wt = v[3] })
  if v[1] == 'l' and v[2] then
    srem(P .. 'h:' .. v[2], id)
  end
  call('UNLINK', key_of(id))
  zrem(P .. 'a', id)
end
local given = call('ZRANGE', P .. 'v', 0, A[1] - 1)
for _, id in ipairs(given) do
  call('UNLINK', P .. 'v:' .. id)
  zrem(P .. 'v', id)
end
commit()
if #ids == A[1] or #given == A[1] then
  return 1
end
for _, queue in ipairs(call('SMEMBERS', P .. 'qs')) do
  for _, priority in ipairs(call('ZRANGE', P .. 'pr:' .. queue, 0, -1)) do
    call('UNLINK', P .. 'r:' .. priority .. ':' .. queue)
  end
  for _, name in ipairs({ 'pr:', 's:', 'z:', 'o:', 'oh:', 'b:', 'f:', 'd:', 'w:', 'ws:' }) do
    call('UNLINK', P .. name .. queue)
  end
end
for _, name in ipairs(call('ZRANGE', P .. 'sb', 0, -1)) do
  call('UNLINK', P .. 'st:' .. name)
end
for _, name in ipairs({ 'a', 'l', 'x', 'u', 'ux', 'd', 'ur', 'dr', 'qs', 'qc', 'pz', 'sb', 'ct', 'ce', 'pw', 'pd' }) do
  call('UNLINK', P .. name)
end
return 0
