-- Removes dead letters with their records. A: ids. Returns the ids that were dead.
local gone = {}
for _, id in ipairs(A) do
  local t = look(id)
  if t and t.de and t.s == 'd' then
    sweep_away(t)
    tell(t)
    gone[#gone + 1] = id
  end
end
commit()
return gone
