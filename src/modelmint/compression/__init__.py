"""Makes variants of a model for serving: export, quantize, measure, and choose the cheapest that passes.

It knows models, figures and what an hour of this machine costs; never a server or a customer.
"""
