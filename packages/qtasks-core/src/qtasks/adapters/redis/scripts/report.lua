-- Notes that a worker is alive. A: { worker, ttl }; its presence is ARGV[3].
insist()
if A[2] > 0 then
  zadd(P .. 'pw', now + A[2], A[1])
  call('HSET', P .. 'pd', A[1], ARGV[3])
else
  zrem(P .. 'pw', A[1])
  call('HDEL', P .. 'pd', A[1])
end
commit()
