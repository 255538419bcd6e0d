"""What of a base is trained: all of it, its upper layers, or small parts that are put beside it."""

from modelmint.training.methods.spec import AnyMethod, Full, Method

__all__ = ["AnyMethod", "Full", "Method"]
