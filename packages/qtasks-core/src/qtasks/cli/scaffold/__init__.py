"""New packages: what their files say, and how they come to be on the disk."""
