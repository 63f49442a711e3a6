-- Settles a batch of outcomes. A: { settlements }. Returns { refused ids }.
insist()
settle_all(A[1])
commit()
return { refused }
