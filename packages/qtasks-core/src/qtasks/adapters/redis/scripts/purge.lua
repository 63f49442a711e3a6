-- Removes waiting tasks of a queue. A: { queue, limit }. Returns how many.
local queue = A[1]
local removed = 0
local function as_it_is(id)
  return id
end
local function remove_from(key, to_id)
  local room = A[2] - removed
  for _, member in ipairs(room > 0 and call('ZRANGE', key, 0, room - 1) or {}) do
    local id = to_id(member)
    local t = look(id)
    zrem(key, member)
    srem(P .. 'oh:' .. queue, id)
    if t and t.s ~= 'l' and t.s ~= 'd' then
      if t.x then
        zrem(P .. 'x', id)
      end
      drop_unique_key(t)
      tell(t)
      call('UNLINK', key_of(id))
      zrem(P .. 'a', id)
      removed = removed + 1
    end
  end
end
for _, priority in ipairs(call('ZRANGE', P .. 'pr:' .. queue, 0, -1)) do
  remove_from(P .. 'r:' .. priority .. ':' .. queue, id_of)
end
remove_from(P .. 's:' .. queue, as_it_is)
remove_from(P .. 'z:' .. queue, id_of)
remove_from(P .. 'o:' .. queue, as_it_is)
commit()
return removed
