"""The rules of `clean`: what mends a text, what judges a row, and how a table is fitted."""
