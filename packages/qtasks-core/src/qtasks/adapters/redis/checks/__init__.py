"""What ``qtasks doctor`` looks at; every check is a function of a :class:`Sight`."""
