"""Recommendation from behaviour: who took what, in which order; the models, and the honest baselines beside them."""
