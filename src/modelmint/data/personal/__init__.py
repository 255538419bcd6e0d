"""Personal data: what finds it, and what stands in its place."""
