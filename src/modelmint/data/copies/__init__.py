"""Near-copies: shingles, MinHash, bands, and the records of tables."""
