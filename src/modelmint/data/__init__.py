"""Raw data to rows that may be trained on: collect, preflight, clean, deidentify, split.

It knows files, text and labels. It does not know models (preflight asks `training` for a base's tokenizer and an
estimate), runs, tenants or money. No row is dropped in silence: each goes to a quarantine dataset with its reason.
"""
