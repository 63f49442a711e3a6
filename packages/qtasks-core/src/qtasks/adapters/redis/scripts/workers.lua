-- Lists the presences of workers whose time has not run out. Only reads.
local out = {}
local after = '(' .. string.format('%.0f', now)
for _, name in ipairs(call('ZRANGEBYSCORE', P .. 'pw', after, '+inf')) do
  out[#out + 1] = call('HGET', P .. 'pd', name)
end
return out
