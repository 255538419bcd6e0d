"""What the judge is made of: rated rows, its agreement with people, its page."""
