"""How good answers are: one file a family of tasks, each figure with a bootstrap interval and its count.

Each has ``measure(truth, answers, *, seed) -> dict[str, Figure]``, the function that the task's entry names
(`training.tasks`): `truth` are the columns of the rows by name, `answers` what the model's predictor gave, and the first
figure is the one by which models are compared. It knows no model.
"""
