"""What exists: database, migrations, content-addressed blobs, lineage, encryption.

It knows artifacts by kind and digest, never what a stage does.
"""
