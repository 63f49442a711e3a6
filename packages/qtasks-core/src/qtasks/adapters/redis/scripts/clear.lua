-- Removes a bucket of state. A: { bucket }.
call('DEL', P .. 'st:' .. A[1])
zrem(P .. 'sb', A[1])
commit()
