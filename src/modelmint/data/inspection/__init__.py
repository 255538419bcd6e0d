"""What `preflight` finds, and the gates on it."""
