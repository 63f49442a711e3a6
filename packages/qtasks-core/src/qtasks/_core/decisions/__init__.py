"""Pure decisions: no clock, no I/O, no colour; the same for every worker, client and test."""
