"""HTTP: the platform's routes and those of inference, one error shape, and the server process.

A face: it turns requests into calls of the rooms below and holds no logic of its own. It imports no training library.
"""
