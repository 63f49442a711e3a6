-- Claims. A: { claim }. Returns the same as exchange.lua.
insist()
claim_all(A[1])
commit()
return { {}, out, now, next_due, passed, again }
