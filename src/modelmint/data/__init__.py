"""Raw data to rows that may be trained on. One file a verb; what a verb uses is in the folder behind it.

    collect (sources/)   preflight (inspection/)   clean, normalise (cleaning/, language/)   deduplicate (copies/)
    deidentify (personal/)   augment (augmenting/)   split (splitting/)   restore   diff, export   and their pages/

It knows files, rows of a task's form (`core.forms`) and labels. It does not know models (preflight asks `training` for a
base's tokenizer and an estimate), runs, tenants or money. No row is dropped in silence: each goes to a quarantine
dataset with its reason.
"""
