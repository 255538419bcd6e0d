"""Changed copies of rows, new rows between old ones, and the balance of labels."""
