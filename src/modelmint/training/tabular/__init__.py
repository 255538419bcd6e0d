"""Models of tables: what their columns hold, and the ways to learn from them."""
