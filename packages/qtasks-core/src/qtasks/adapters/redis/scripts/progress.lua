-- Keeps what running tasks say of their progress. A: { id, token, number of its byte string, ... }.
-- What a stale run says is dropped.
for i = 1, #A, 3 do
  local key = key_of(A[i])
  local v = read(key, 's', 'k')
  if v and v[1] == 'l' and v[2] == A[i + 1] then
    call('HSET', key, 'pg', ARGV[A[i + 2]])
  end
end
