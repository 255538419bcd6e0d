"""Figures with intervals, the cheap baseline, gates, and parity of what is served with what was trained.

It knows a model by its artifact and its predictions, never how it was trained, compressed or deployed.
"""
