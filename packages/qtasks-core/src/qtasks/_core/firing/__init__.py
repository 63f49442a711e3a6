"""The firing of triggers around the ports, of which adapters see nothing."""
