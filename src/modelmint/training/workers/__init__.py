"""Training by several processes: on this machine, or on a Ray cluster.

The stage's process writes an order (`order.py`), starts the workers (`local.py`, `cluster.py`) and waits. Each worker
(`worker.py`) makes the same job of the order and runs the one loop; the first of them writes the model. When a worker is
lost all are started again, and go on from the last checkpoint.
"""

from modelmint.training.workers.start import by_workers

__all__ = ["by_workers"]
