"""Makes models: the catalogue of bases, the tasks, fine-tuning that goes on exactly where it was stopped, an estimate.

It knows rows, weights and a device; never a server, a customer or money.
`finetune`, `bases`, `tasks` and `estimate` are light to import; the other files import PyTorch when they are imported.
"""
