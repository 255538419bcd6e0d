"""The nouns and what everything needs: types, errors, ids, hashing, money, clock, settings.

It knows nothing of databases, models or HTTP.
"""
