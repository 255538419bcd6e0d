"""What can be said of a model, from what was measured: the model card and the page to send.

It knows the facts of reports and the counts of datasets, never how a model is trained, compressed or served.
"""
