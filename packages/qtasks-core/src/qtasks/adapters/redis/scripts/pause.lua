-- Stops or allows claims from a queue. A: { queue, whether to stop them }.
if A[2] then
  call('SADD', P .. 'pz', A[1])
else
  call('SREM', P .. 'pz', A[1])
  wake(A[1])
  wake_for_suspects(A[1])
end
commit()
