"""One room per server: broker, storage and what they need, together."""
