-- Makes queues known whose tasks are in other shards. A: names.
for _, queue in ipairs(A) do
  sadd(P .. 'qs', queue)
end
commit()
