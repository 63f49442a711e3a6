"""Finding plugins that are installed: what there is, what is wanted, and what became of it."""
