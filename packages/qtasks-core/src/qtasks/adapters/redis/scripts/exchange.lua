-- Settles a batch of outcomes, then claims: settle.lua and claim.lua in one step.
--
-- A: { settlements, claim }. Returns { refused ids, deliveries, now, next due in, suspects left,
-- given again }.
insist()
settle_all(A[1])
claim_all(A[2])
commit()
return { refused, out, now, next_due, passed, again }
