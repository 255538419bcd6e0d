"""What people say about predictions, and how the next model learns from it: collect, snapshot, curate, improve.

It knows predictions by their id; it knows nothing of HTTP or of who pays.
"""
