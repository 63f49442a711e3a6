-- Lists all queues that were ever published to. Only reads.
return call('SMEMBERS', P .. 'qs')
