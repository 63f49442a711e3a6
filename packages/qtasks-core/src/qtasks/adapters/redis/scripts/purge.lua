-- Removes waiting tasks of a queue. A: { queue, limit }. Returns how many.
local queue = A[1]
local removed = 0
local function remove_from(key)
  local room = A[2] - removed
  for _, id in ipairs(room > 0 and call('ZRANGE', key, 0, room - 1) or {}) do
    local t = look(id)
    zrem(key, id)
    if t and t.s ~= 'l' and t.s ~= 'd' then
      if t.x then
        zrem(P .. 'x', id)
      end
      free_unique_key(t)
      tell(t)
      call('UNLINK', key_of(id))
      zrem(P .. 'a', id)
      removed = removed + 1
    end
  end
end
for _, priority in ipairs(call('ZRANGE', P .. 'pr:' .. queue, 0, -1)) do
  remove_from(P .. 'r:' .. priority .. ':' .. queue)
end
remove_from(P .. 's:' .. queue)
remove_from(P .. 'z:' .. queue)
remove_from(P .. 'o:' .. queue)
commit()
return removed
