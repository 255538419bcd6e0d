"""Reaching out: which addresses may be reached, a connection that keeps to them, and models that answer over HTTP."""
