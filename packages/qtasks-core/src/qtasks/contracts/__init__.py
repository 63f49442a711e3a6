"""What third parties implement. Small, boring files; each states what happens if it is ignored."""
