"""Walking away with a model: one folder in a format that others open, with its card, licences and checksums.

A format is one entry in the table of `export`, and one function that writes its files into an empty folder.
"""
