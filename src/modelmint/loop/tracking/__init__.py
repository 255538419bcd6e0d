"""What became of trainings: several beside each other, and their curves for the trackers of others.

Nothing here is a stage: it reads what runs left in the catalog.
"""
