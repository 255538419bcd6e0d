"""Which side each row is on, and what must not be parted."""
