"""What is said or asked before a run spends."""
