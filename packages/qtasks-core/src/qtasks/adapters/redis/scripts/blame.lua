-- Sets how many losses count against a task that is held. A: { id, token, lost }.
insist()
local key = key_of(A[1])
local v = read(key, 's', 'k')
if v and v[1] == 'l' and v[2] == A[2] then
  call('HSET', key, 'lo', A[3])
end
