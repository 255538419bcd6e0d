"""The nouns and what everything needs: types, errors, ids, hashing, money, clock, settings.

It knows nothing of databases and models; `core.web` alone reaches out.
"""
