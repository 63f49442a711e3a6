-- Notes that due tasks were published. A: ids. One that was begun, or lined up again meanwhile,
-- stays as it is.
insist()
for _, id in ipairs(A) do
  local t = look(id)
  if t and t.s == 'o' and t.hh then
    leave(t)
    call('HSET', key_of(id), 's', 'b')
    call('HDEL', key_of(id), 'hh')
  end
end
commit()
