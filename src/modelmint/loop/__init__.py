"""Recipe (the spec of a run), stages (the table of all verbs), runner (durable, cached, resumable).

It knows verbs by their contract alone: names, specs, roles. It holds no data.
"""
