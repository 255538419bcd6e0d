"""The tasks that a model can be trained for: one table, and one file a task.

A task's file holds its learner (what it adds to the training loop) and its predictor (the trained model as the
reference: PyTorch in fp32). It is imported when it is used.
"""

from modelmint.training.tasks.table import TASKS, Predictor, Task, open_model, read_about, task_of

__all__ = ["TASKS", "Predictor", "Task", "open_model", "read_about", "task_of"]
